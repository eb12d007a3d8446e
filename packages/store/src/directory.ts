/**
 * The files of a data directory around the engine's own:
 *
 * ```
 * FORMAT   "meshkv storage N\n", written when the directory is made, or first opened by a newer program
 * engine/  LevelDB's files
 * CLEAN    name of the engine's manifest, written when everything was closed in order
 * DAMAGE   findings of a check, one a line, until they are kept in a row of the engine
 * ```
 *
 * The clean-stop mark is a file and not a row, since it must be read before the engine opens: opening replays the
 * write-ahead log and so destroys what there is to check. It names the manifest, of which every opening of the engine
 * makes a new one: so a mark that a late stop of another process left behind means nothing.
 */
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MeshkvError } from "@meshkv/core";
import { LOST } from "./engine-files/disarm.ts";
import { isEngineLocked } from "./engine.ts";
import { hasCode } from "./failure.ts";

/** The storage format that this program writes. */
export const STORAGE_FORMAT = 2;
/** Formats that it reads as well. */
const OLDER_FORMATS: ReadonlySet<string> = new Set(["1"]);

const FORMAT_FILE = "FORMAT";
const CLEAN_FILE = "CLEAN";
const DAMAGE_FILE = "DAMAGE";
const FORMAT_TEXT = /^meshkv storage (\d{1,9})\n$/;

/** Where the engine's files lie. */
export function engineDirectory(directory: string): string {
  return join(directory, "engine");
}

/**
 * Makes the directory, for its owner only, unless it exists, and checks its format.
 * @throws MeshkvError UNSUPPORTED_FORMAT
 */
export async function prepareDirectory(directory: string): Promise<void> {
  if (await makeDirectory(directory)) {
    // A narrow umask may have taken away bits that the owner needs.
    await chmod(directory, 0o700);
  }
  const found = await readFormat(directory);
  if (found === undefined) {
    if (await exists(engineDirectory(directory))) throw unsupported(directory, "none");
    await writeDurably(directory, FORMAT_FILE, `meshkv storage ${STORAGE_FORMAT}\n`);
  } else if (!isKnown(found)) {
    throw unsupported(directory, found);
  }
}

/**
 * Names the directory by the format in which it is written from now on. To be called with the engine open: no older program
 * has it then, and none is to open it later.
 */
export async function upgradeFormat(directory: string): Promise<void> {
  if ((await readFormat(directory)) === String(STORAGE_FORMAT)) return;
  await writeDurably(directory, FORMAT_FILE, `meshkv storage ${STORAGE_FORMAT}\n`);
}

function isKnown(format: string | undefined): boolean {
  return format === String(STORAGE_FORMAT) || (format !== undefined && OLDER_FORMATS.has(format));
}

/** Makes a directory and what is missing above it; false when it was there. (Node's recursive mkdir never ends in /proc.) */
async function makeDirectory(directory: string): Promise<boolean> {
  if (await exists(directory)) return false;
  const parent = dirname(directory);
  if (parent !== directory) await makeDirectory(parent);
  try {
    await mkdir(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    // Somebody else was as quick.
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/**
 * Checks that a directory holds a database of the known format, without making or changing anything.
 * @throws MeshkvError NOT_FOUND when there is no database, UNSUPPORTED_FORMAT
 */
export async function requireDirectory(directory: string): Promise<void> {
  const found = await readFormat(directory);
  if (isKnown(found)) return;
  if (found === undefined && !(await exists(engineDirectory(directory)))) {
    throw new MeshkvError("NOT_FOUND", `${directory} holds no database`, { directory });
  }
  throw unsupported(directory, found ?? "none");
}

function unsupported(directory: string, found: string): MeshkvError {
  const known = String(STORAGE_FORMAT);
  return new MeshkvError(
    "UNSUPPORTED_FORMAT",
    `${directory} has storage format ${found}; this program knows format ${known}`,
    { directory, found, known },
  );
}

/** The format's number as text, what stands in its place, or undefined when there is no format file. */
async function readFormat(directory: string): Promise<string | undefined> {
  const text = await readText(directory, FORMAT_FILE);
  if (text === undefined) return undefined;
  return FORMAT_TEXT.exec(text)?.[1] ?? "unreadable";
}

/** The name of the engine's current manifest; undefined before the engine's first opening. */
export async function currentManifest(directory: string): Promise<string | undefined> {
  return (await readText(engineDirectory(directory), "CURRENT"))?.trimEnd();
}

/** Whether another process, or another handle of this one, has the directory open. */
export async function isLocked(directory: string): Promise<boolean> {
  return (await currentManifest(directory)) !== undefined && isEngineLocked(engineDirectory(directory));
}

/** Whether the engine's files are as an orderly stop left them. A directory that was never opened is. */
export async function wasStoppedCleanly(directory: string): Promise<boolean> {
  const manifest = await currentManifest(directory);
  return manifest === undefined || (await readText(directory, CLEAN_FILE)) === `${manifest}\n`;
}

/** Writes the clean-stop mark. Nothing may be written after it. */
export async function markCleanStop(directory: string, manifest: string): Promise<void> {
  await writeDurably(directory, CLEAN_FILE, `${manifest}\n`);
}

/** Takes the clean-stop mark away; to be called with the engine open, when the mark means nothing any more. */
export async function removeCleanMark(directory: string): Promise<void> {
  await rm(join(directory, CLEAN_FILE), { force: true });
}

/** Keeps findings across the opening of the engine, which destroys what was found. */
export async function saveDamage(directory: string, messages: readonly string[]): Promise<void> {
  await writeDurably(directory, DAMAGE_FILE, messages.map((message) => `${message}\n`).join(""));
}

/** Findings that were kept; none when there are none. */
export async function loadDamage(directory: string): Promise<string[]> {
  const text = (await readText(directory, DAMAGE_FILE)) ?? "";
  return text.split("\n").filter((line) => line !== "");
}

/** Forgets the kept findings. */
export async function removeDamage(directory: string): Promise<void> {
  await rm(join(directory, DAMAGE_FILE), { force: true });
}

/** Removes what repairs have put aside. */
export async function removeLost(directory: string): Promise<void> {
  await rm(join(engineDirectory(directory), LOST), { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

async function readText(directory: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, name), "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Replaces a small file so that after a crash it is the old one or the new one, whole. */
async function writeDurably(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `${name}.new`);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text, "latin1");
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, name));
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
