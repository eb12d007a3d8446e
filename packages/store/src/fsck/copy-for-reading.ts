import { copyFile, link, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { engineDirectory } from "../directory.ts";

/** A directory of files that may be opened and changed without harm to the original. */
export interface ReadingCopy {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Copies an engine's files beside the original. Table files never change once they are written (a repair replaces
 * them), so links to them will do where the file system has links; everything else is small.
 */
export async function copyForReading(directory: string): Promise<ReadingCopy> {
  const source = engineDirectory(directory);
  const path = await mkdtemp(join(directory, "fsck-"));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    for (const name of await readdir(source)) {
      if (/\.(ldb|sst)$/.test(name)) await linkOrCopy(join(source, name), join(path, name));
      else if (/^(CURRENT|MANIFEST-\d+|\d+\.log)$/.test(name))
        await copyFile(join(source, name), join(path, name));
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, remove };
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to);
  }
}
