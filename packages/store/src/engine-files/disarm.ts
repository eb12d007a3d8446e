/**
 * Makes damaged files harmless before LevelDB reads them to repair them. Its repair checks neither the blocks of tables
 * nor the records of logs: it would take up rows under keys that nobody wrote, and a damaged length or sequence number
 * fails an assertion, which ends the process, at every start again. After this it meets nothing but bytes whose checksums
 * are right. Files are replaced, never changed in place: a reader may hold hard links to them.
 */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BATCH_HEADER_BYTES, encodeLogFile, readLogFile } from "./log-file.ts";
import { checkTableFile } from "./table-file.ts";

/** LevelDB's own name for where its repair puts what it could not use. */
export const LOST = "lost";
/** No compression has this number: LevelDB leaves such a block out. */
const UNREADABLE = 0xff;

/** Disarms every table and log of a closed engine. To be called only where damage was found: it drops what is torn. */
export async function disarmEngineFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (/^\d+\.(ldb|sst)$/.test(name)) await disarmTable(directory, name);
    else if (/^\d+\.log$/.test(name)) await disarmLog(directory, name);
  }
}

async function disarmTable(directory: string, name: string): Promise<void> {
  const bytes = await readFile(join(directory, name));
  const defects = checkTableFile(bytes);
  if (defects.length === 0) return;
  if (defects.some(({ compressionAt }) => compressionAt === undefined)) {
    await mkdir(join(directory, LOST), { recursive: true, mode: 0o700 });
    await rename(join(directory, name), join(directory, LOST, name));
    return;
  }
  for (const { compressionAt = 0 } of defects) bytes[compressionAt] = UNREADABLE;
  await replace(directory, name, bytes);
}

async function disarmLog(directory: string, name: string): Promise<void> {
  const { records, defects, tornAt } = readLogFile(await readFile(join(directory, name)));
  const batches = records.filter(({ length }) => length >= BATCH_HEADER_BYTES);
  if (defects.length === 0 && tornAt === undefined && batches.length === records.length) return;
  await replace(directory, name, encodeLogFile(batches));
}

async function replace(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  // A crash may leave this file; LevelDB removes files with such names when it opens.
  const temporary = join(directory, `${Number.parseInt(name, 10)}.dbtmp`);
  await writeFile(temporary, bytes, { mode: 0o600, flush: true });
  await rename(temporary, join(directory, name));
}
