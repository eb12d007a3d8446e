#!/usr/bin/env node
/** `npm run planted`: installs, builds, and breaks every rule of the protocol to see that it is noticed. */
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

ensureInstalled("all");
const built = runTool("typescript", "tsc", ["-b", "packages/testing"], { quiet: true });
const main = join(ROOT, "packages/testing/dist/planted/main.js");
process.exitCode = built === 0 ? run(process.execPath, [main, ...process.argv.slice(2)]) : built;
