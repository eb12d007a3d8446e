import { MeshkvError } from "@meshkv/core";
import {
  engineDirectory,
  isLocked,
  loadDamage,
  prepareDirectory,
  removeDamage,
  saveDamage,
  upgradeFormat,
  wasStoppedCleanly,
} from "./directory.ts";
import { checkEngineFiles } from "./engine-files/check-engine-files.ts";
import type { FileFinding } from "./engine-files/finding.ts";
import { removeStrayTables } from "./engine-files/stray-tables.ts";
import { type ClassicEngineOptions, type Engine, EngineLockedError, openClassicEngine } from "./engine.ts";
import { storageError } from "./failure.ts";
import { repairEngine } from "./repair-engine.ts";

/**
 * Makes or checks a data directory, repairs it when damage is found, and opens its engine. `findings` are those of this
 * check and those that an earlier one left in a file; they stay there until the caller has kept them in the engine.
 *
 * The files are checked whether or not the last stop was clean: LevelDB checks no block when it reads, and a flipped bit
 * in a row's key makes the row vanish without a trace that any later check could find.
 *
 * `isFull`: there may not be room for what the engine writes as it opens, so room is made first.
 * @throws MeshkvError DIRECTORY_LOCKED, UNSUPPORTED_FORMAT, STORAGE_FAILED, STORAGE_FULL
 */
export async function openDirectory(
  directory: string,
  { isFull, ...options }: ClassicEngineOptions & { readonly isFull: boolean },
): Promise<{ engine: Engine; findings: readonly string[] }> {
  try {
    await prepareDirectory(directory);
    const kept = await loadDamage(directory);
    if (await isLocked(directory)) throw directoryLocked(directory);
    const isClosed = await wasStoppedCleanly(directory);
    const { findings: found } = await checkEngineFiles(engineDirectory(directory), { isClosed });
    const findings = [...new Set([...kept, ...found.map(describeFinding)])];
    // Opening the engine destroys the evidence: it must outlive a crash in between.
    if (findings.length > kept.length) await saveDamage(directory, findings);
    if (findings.length > 0) {
      if (await isLocked(directory)) throw directoryLocked(directory);
      await repairEngine(engineDirectory(directory));
    } else if (isFull && !(await isLocked(directory))) await removeStrayTables(engineDirectory(directory));
    try {
      const engine = await openClassicEngine(engineDirectory(directory), options);
      try {
        await upgradeFormat(directory);
      } catch (error) {
        await engine.close();
        throw error;
      }
      return { engine, findings };
    } catch (error) {
      if (!(error instanceof EngineLockedError)) throw error;
      // The directory is another process's: what was just found there is not ours to say.
      if (kept.length === 0) await removeDamage(directory);
      throw directoryLocked(directory);
    }
  } catch (error) {
    throw storageError(error, `opening ${directory}`);
  }
}

function directoryLocked(directory: string): MeshkvError {
  return new MeshkvError("DIRECTORY_LOCKED", `${directory} is in use by another process`, { directory });
}

function describeFinding({ file, offset, message }: FileFinding): string {
  return `${file} at byte ${offset}: ${message}`;
}
