#!/usr/bin/env node
/**
 * `npm test`: installs what the lockfile says, builds, lints and runs the tests. Further arguments go to vitest.
 * The last line is `N passed, N failed` (`, N skipped`); a step that fails before the tests counts as one failure.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { runTool } from "./lib/run.mjs";
import { summarize } from "./lib/vitest-report.mjs";

const STEPS = {
  build,
  lint: () => runTool("oxlint", "oxlint", ["--type-aware", "--deny-warnings"]),
  "types of tests": () => runTool("typescript", "tsc", ["-p", "tsconfig.test.json"]),
  format: () => runTool("@biomejs/biome", "biome", ["format", "--reporter=summary"]),
};

/** Runs one step; returns whether it succeeded. */
function step(name, action) {
  console.log(`\n=== ${name}`);
  const status = action();
  if (status !== 0) console.log(`=== ${name}: FAILED`);
  return status === 0;
}

function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "meshkv-test-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const status = runTool("vitest", "vitest", ["run", ...reporters, ...args]);
    return summarize(existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined, status);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(args) {
  ensureInstalled("all");
  const failedSteps = Object.entries(STEPS).filter(([name, action]) => !step(name, action));
  console.log("\n=== tests");
  const { passed, failed, skipped } = runVitest(args);
  if (failedSteps.length > 0)
    console.log(`failed before the tests: ${failedSteps.map(([name]) => name).join(", ")}`);
  return { passed, failed: failed + failedSteps.length, skipped };
}

let result = { passed: 0, failed: 1, skipped: 0 };
try {
  result = main(process.argv.slice(2));
} catch (error) {
  console.error(`meshkv: ${error.message}`);
}
console.log(
  `${result.passed} passed, ${result.failed} failed${result.skipped > 0 ? `, ${result.skipped} skipped` : ""}`,
);
process.exitCode = result.failed > 0 ? 1 : 0;
