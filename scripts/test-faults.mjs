#!/usr/bin/env node
/** `npm run test:faults -- --minutes M --seed N`: installs, builds, and puts real servers under faults. */
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT, run, runTool } from "./lib/run.mjs";

const TESTING = join(ROOT, "packages/testing");

/** What is preloaded into servers is JavaScript as it stands, which the compiler leaves where it is. */
function copyPreloads() {
  for (const name of readdirSync(join(TESTING, "src/processes"))) {
    if (name.endsWith(".mjs"))
      cpSync(join(TESTING, "src/processes", name), join(TESTING, "dist/processes", name));
  }
}

ensureInstalled("all");
let status = build();
if (status === 0) status = runTool("typescript", "tsc", ["-b", "packages/testing"], { quiet: true });
if (status === 0) {
  copyPreloads();
  const main = join(TESTING, "dist/faults/main.js");
  status = run(process.execPath, ["--max-semi-space-size=32", main, ...process.argv.slice(2)]);
}
process.exitCode = status;
