import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { disarmEngineFiles, LOST } from "./engine-files/disarm.ts";
import { readManifest } from "./engine-files/manifest.ts";
import { hasCode } from "./failure.ts";

/**
 * Makes a damaged LevelDB directory usable again: whatever can be read is kept, damaged blocks are left out, and a new
 * manifest is written. What was left out lies in the directory `lost` then. Without this a damaged table stops every write for good, since a compaction meets it sooner or
 * later. The directory must be nobody else's: LevelDB takes no lock for it.
 * @throws the engine's errors
 */
export async function repairEngine(directory: string): Promise<void> {
  await putAsideObsolete(directory);
  await disarmEngineFiles(directory);
  await ClassicLevel.repair(directory);
  await settle(directory);
}

/**
 * A repair puts all tables on one level, where LevelDB takes the table with the greatest number for the newest. It need
 * not be: a compaction writes old rows into new files. So reads of single keys would give old values, until everything
 * is merged, which goes by the sequence of the writes.
 */
async function settle(directory: string): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  await level.open();
  try {
    await level.compactRange(new Uint8Array(1), new Uint8Array(8).fill(0xff));
  } finally {
    await level.close();
  }
}

/** A repair takes up every file that it finds: rows that are long gone would come back out of files that a crash left. */
async function putAsideObsolete(directory: string): Promise<void> {
  const current = await read(join(directory, "CURRENT"));
  const name = current?.toString("latin1").trimEnd() ?? "";
  const bytes = /^MANIFEST-\d+$/.test(name) ? await read(join(directory, name)) : undefined;
  if (bytes === undefined) return;
  const { tables, logNumber, previousLogNumber, defects } = readManifest(new Uint8Array(bytes));
  if (defects.length > 0) return;
  for (const file of await readdir(directory)) {
    const [, digits, kind] = /^(\d+)\.(ldb|sst|log)$/.exec(file) ?? [];
    if (digits === undefined) continue;
    const number = Number(digits);
    const isLive = kind === "log" ? number >= logNumber || number === previousLogNumber : tables.has(number);
    if (isLive) continue;
    await mkdir(join(directory, LOST), { recursive: true, mode: 0o700 });
    await rename(join(directory, file), join(directory, LOST, file));
  }
}

async function read(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
