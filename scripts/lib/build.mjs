/** Builds the packages into their dist folders, unless those are newer than every source. */
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runTool } from "./run.mjs";

const STAMP = join(ROOT, "packages/cli/dist/.built");

/** The time of the latest change at or below a path. Folders count too: they change when a file goes. */
function newestChange(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}

function isBuilt() {
  if (!existsSync(STAMP)) return false;
  const packages = readdirSync(join(ROOT, "packages")).map((name) => join(ROOT, "packages", name));
  const built = packages.filter(
    (path) => existsSync(join(path, "tsconfig.json")) && !path.endsWith("testing"),
  );
  if (!built.every((path) => existsSync(join(path, "dist/index.js")))) return false;
  const inputs = built.flatMap((path) =>
    ["src", "package.json", "tsconfig.json"].map((name) => join(path, name)),
  );
  inputs.push(
    join(ROOT, "tsconfig.json"),
    join(ROOT, "tsconfig.base.json"),
    join(ROOT, "node_modules/.meshkv-lock"),
  );
  return Math.max(...inputs.map(newestChange)) < statSync(STAMP).mtimeMs;
}

/** Runs the compiler; returns its exit code. */
export function build() {
  const status = runTool("typescript", "tsc", ["-b"], { quiet: true });
  if (status === 0) writeFileSync(STAMP, "");
  return status;
}

/** Builds when a source is newer than the last build; throws when that fails. */
export function ensureBuilt() {
  if (isBuilt()) return;
  console.error("meshkv: building");
  if (build() !== 0) throw new Error("the build failed");
}
