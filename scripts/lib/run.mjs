/** Where the project is, and how the scripts run its tools. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Runs a program in the project's root, its output on ours (all of it on standard error when `quiet`), and returns
 * its exit code: 128 + the signal's number when a signal ended it, 127 when it could not be started.
 */
export function run(command, args, { quiet = false } = {}) {
  const stdio = ["ignore", quiet ? 2 : "inherit", "inherit"];
  const result = spawnSync(command, args, { cwd: ROOT, stdio, shell: process.platform === "win32" });
  if (result.error !== undefined) console.error(`meshkv: cannot run ${command}: ${result.error.message}`);
  return result.status ?? (result.signal === null ? 127 : 128 + constants.signals[result.signal]);
}

/** Runs the command line tool of an installed package, without npx and without a shell. */
export function runTool(packageName, toolName, args, options) {
  const manifestPath = join(ROOT, "node_modules", packageName, "package.json");
  if (!existsSync(manifestPath)) throw new Error(`${packageName} is not installed`);
  const { bin } = JSON.parse(readFileSync(manifestPath, "utf8"));
  const script = join(dirname(manifestPath), typeof bin === "string" ? bin : bin[toolName]);
  return run(process.execPath, [script, ...args], options);
}
