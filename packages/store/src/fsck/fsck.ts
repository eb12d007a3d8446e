/** Checks a closed data directory: files, rows, and that the tables agree with each other and with the state. */
import { type Engine, openClassicEngine } from "../engine.ts";
import { FormatError, MeshkvError } from "@meshkv/core";
import { currentGenerationOf, keptDamageOf } from "../root-rows.ts";
import { engineDirectory, isLocked, loadDamage, requireDirectory, wasStoppedCleanly } from "../directory.ts";
import { checkEngineFiles } from "../engine-files/check-engine-files.ts";
import { storageError } from "../failure.ts";
import { repairEngine } from "../repair-engine.ts";
import { checkGeneration } from "./check-generation.ts";
import { copyForReading } from "./copy-for-reading.ts";
import { type FsckFinding, FsckLog } from "./fsck-log.ts";
import { checkOtherRows } from "./check-other-rows.ts";

/** The outcome of a check. */
export interface FsckReport {
  /** What is wrong; empty when all is well. At most a thousand are told. */
  readonly findings: readonly FsckFinding[];
  /** What was looked at, by name: files, bytes, rows of each kind. */
  readonly counts: Readonly<Record<string, number>>;
}

const SMALL_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Checks every invariant of a data directory whose server is stopped. Changes no file of it: the engine opens a copy,
 * in which the large files are hard links, beside the original.
 * @throws MeshkvError NOT_FOUND when the directory holds no database, DIRECTORY_LOCKED when a server has it open,
 * UNSUPPORTED_FORMAT, STORAGE_FAILED when its files cannot be read, STORAGE_FULL when the copy finds no room
 */
export async function fsck(directory: string): Promise<FsckReport> {
  try {
    return await check(directory);
  } catch (error) {
    throw storageError(error, `checking ${directory}`);
  }
}

async function check(directory: string): Promise<FsckReport> {
  await requireDirectory(directory);
  if (await isLocked(directory)) {
    throw new MeshkvError("DIRECTORY_LOCKED", `${directory} is in use by another process`, { directory });
  }
  const log = new FsckLog();
  for (const message of await loadDamage(directory)) log.tell("damage", `an earlier check found: ${message}`);
  const isClosed = await wasStoppedCleanly(directory);
  const files = await checkEngineFiles(engineDirectory(directory), { isClosed });
  log.add("files", files.files);
  log.add("fileBytes", files.bytes);
  for (const { file, offset, message } of files.findings)
    log.tell("file", `${file} at byte ${offset}: ${message}`);
  if (files.files > 0) await checkCopy(directory, log, files.findings.length > 0);
  return log.report();
}

async function checkCopy(directory: string, log: FsckLog, isDamaged: boolean): Promise<void> {
  const copy = await copyForReading(directory);
  try {
    // A damaged block may end the process that reads it.
    if (isDamaged) await repairEngine(copy.path);
    const engine = await openClassicEngine(copy.path, {
      writeBufferBytes: SMALL_BUFFER_BYTES,
      blockCacheBytes: SMALL_BUFFER_BYTES,
    });
    try {
      await checkRows(engine, log);
    } finally {
      await engine.close();
    }
  } catch (error) {
    const failure = storageError(error, "the engine cannot read its files");
    if (failure.code === "STORAGE_FULL") throw failure;
    log.tell("engine", failure.message);
  } finally {
    await copy.remove();
  }
}

async function checkRows(engine: Engine, log: FsckLog): Promise<void> {
  try {
    for (const message of keptDamageOf(engine)) log.tell("damage", `an earlier check found: ${message}`);
    const current = currentGenerationOf(engine);
    await checkOtherRows(engine, current, log);
    if (current !== undefined) await checkGeneration(engine, current, log);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    log.tell("generation", `the row that names the current generation: ${error.message}`);
  }
}
