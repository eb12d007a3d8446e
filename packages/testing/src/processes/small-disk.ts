/** A disk of its own for a data directory, so small that a test can fill it: a tmpfs, which only root can mount. */
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { Stage } from "./stage.ts";

/** Why there can be no small disk here; undefined when there can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== "linux") return "only Linux has a tmpfs";
  if (process.getuid?.() !== 0) return "only root can mount a tmpfs";
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "this container may not mount a tmpfs";
  }
}

/** Mounts a disk of so many mebibytes for the time of the test; resolves to its directory. */
export async function mountSmallDisk(
  stage: Pick<Stage, "folder" | "atEnd">,
  mebibytes: number,
): Promise<string> {
  const directory = join(stage.folder, "disk");
  await mkdir(directory);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", directory]);
  stage.atEnd(async () => {
    execFileSync("umount", [directory]);
  });
  return directory;
}
