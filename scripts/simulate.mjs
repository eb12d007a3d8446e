#!/usr/bin/env node
/** `npm run simulate -- --seed N | --seeds A..B | --minutes M`: installs, builds, and runs the simulator. */
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

ensureInstalled("all");
const built = runTool("typescript", "tsc", ["-b", "packages/testing"], { quiet: true });
const main = join(ROOT, "packages/testing/dist/simulator/main.js");
process.exitCode =
  built === 0 ? run(process.execPath, ["--enable-source-maps", main, ...process.argv.slice(2)]) : built;
