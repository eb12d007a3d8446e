#!/usr/bin/env node
/** `npm run simulate -- --seed N | --seeds A..B | --minutes M`: installs, builds, and runs the simulator. */
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

ensureInstalled("all");
const built = runTool("typescript", "tsc", ["-b", "packages/testing"], { quiet: true });
const main = join(ROOT, "packages/testing/dist/simulator/main.js");
// Worlds make much that is dead at once: with more room for it, it is swept less often.
const flags = ["--enable-source-maps", "--max-semi-space-size=32"];
process.exitCode = built === 0 ? run(process.execPath, [...flags, main, ...process.argv.slice(2)]) : built;
