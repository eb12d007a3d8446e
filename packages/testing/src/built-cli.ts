/** The `meshkv` command for tests that run it as a process: built from the sources as they are now. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { ROOT } from "./tidy/project.ts";

const DIST = join(ROOT, "packages/cli/dist");
const LOCK = join(DIST, ".building");
const POLL_MS = 100;

let built: Promise<string> | undefined;

/** Builds the command if a source is newer than the last build; resolves with the path of its script for Node. */
export function builtCli(): Promise<string> {
  built ??= build();
  return built;
}

/** Test files run in processes of their own: one builds, the others wait, and find that nothing is left to do. */
async function build(): Promise<string> {
  await mkdir(DIST, { recursive: true });
  while (!(await takeLock())) await sleep(POLL_MS);
  try {
    await ensureBuilt();
  } finally {
    await rm(LOCK, { force: true });
  }
  return join(ROOT, "packages/cli/bin/meshkv.js");
}

async function ensureBuilt(): Promise<void> {
  const script = pathToFileURL(join(ROOT, "scripts/lib/build.mjs")).href;
  const code = `import { ensureBuilt } from ${JSON.stringify(script)}; ensureBuilt();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [exitCode] = await once(child, "close");
  if (exitCode !== 0) throw new Error(`the build failed:\n${output}`);
}

async function takeLock(): Promise<boolean> {
  try {
    await writeFile(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const owner = Number(await readFile(LOCK, "utf8").catch(() => ""));
  if (owner > 0 && !isRunning(owner)) await rm(LOCK, { force: true });
  return false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
