#!/usr/bin/env node
/** `npm run bench -- [--quick] [--json]`: installs, builds, and measures meshkv beside its peers. */
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

ensureInstalled("all");
const built = runTool("typescript", "tsc", ["-b", "packages/cli", "packages/bench"], { quiet: true });
const main = join(ROOT, "packages/bench/dist/main.js");
process.exitCode =
  built === 0 ? run(process.execPath, ["--enable-source-maps", main, ...process.argv.slice(2)]) : built;
