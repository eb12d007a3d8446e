/**
 * Table files that the manifest does not name: outputs of compactions that were broken off, and inputs of others. LevelDB
 * removes them when it opens a directory, but not before it has written, for which a full disk has no room.
 */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readManifest } from "./manifest.ts";

/** One such file. */
export interface StrayTable {
  readonly path: string;
  readonly bytes: number;
}

/** Finds them; none where the manifest cannot be read without doubt. */
export async function strayTables(directory: string): Promise<StrayTable[]> {
  try {
    const current = (await readFile(join(directory, "CURRENT"), "latin1")).trimEnd();
    const { tables, defects } = readManifest(await readFile(join(directory, current)));
    if (defects.length > 0) return [];
    const found: StrayTable[] = [];
    for (const name of await readdir(directory)) {
      const digits = /^(\d+)\.(?:ldb|sst)$/.exec(name)?.[1];
      if (digits === undefined || tables.has(Number(digits))) continue;
      const path = join(directory, name);
      found.push({ path, bytes: (await stat(path)).size });
    }
    return found;
  } catch {
    // Whatever is wrong here, opening the directory finds it, and says so.
    return [];
  }
}

/** Removes them, while no handle has the directory open. */
export async function removeStrayTables(directory: string): Promise<void> {
  for (const { path } of await strayTables(directory)) await rm(path, { force: true });
}
