/** The built `meshkv` command, run as a user runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../../cli/", import.meta.url));
const BINARY = join(CLI, "bin/meshkv.js");
const BUILT = join(CLI, "dist/main.js");

/** What of this process's environment a child gets: nothing of the test runner's own. */
const KEPT_VARIABLES = ["PATH", "HOME", "TMPDIR", "SystemRoot"];

/** How the command is run. */
export interface BinaryOptions {
  /** Working directory. */
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** What a command left behind. */
export interface BinaryRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `meshkv` with the arguments. Throws when the project has not been built. */
export function spawnMeshkv(args: readonly string[], { cwd, environment = {} }: BinaryOptions): ChildProcess {
  if (!existsSync(BUILT)) throw new Error("the command is not built: run npm run build first");
  const kept = KEPT_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return spawn(process.execPath, [BINARY, ...args], {
    cwd,
    env: { ...Object.fromEntries(kept), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs `meshkv` with the arguments to its end. */
export function runMeshkv(args: readonly string[], options: BinaryOptions): Promise<BinaryRun> {
  const child = spawnMeshkv(args, options);
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
