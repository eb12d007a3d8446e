#!/usr/bin/env node
/** `npm run explore -- [--states N]`: installs, builds, and walks all courses of events of small worlds. */
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

ensureInstalled("all");
const built = runTool("typescript", "tsc", ["-b", "packages/testing"], { quiet: true });
const main = join(ROOT, "packages/testing/dist/explorer/main.js");
process.exitCode = built === 0 ? run(process.execPath, [main, ...process.argv.slice(2)]) : built;
