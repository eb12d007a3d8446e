/** Installs the locked dependencies when those in node_modules are not they. Uses nothing but Node's own modules. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./run.mjs";

const STAMP = join(ROOT, "node_modules/.meshkv-lock");

function lockDigest() {
  return createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
}

/**
 * Makes node_modules match the lockfile; throws when npm fails. What it did is stamped into node_modules as
 * `<lockfile digest> all` or `<lockfile digest> production`.
 * @param {"all" | "production"} kind whether the developers' tools are wanted too
 */
export function ensureInstalled(kind) {
  const digest = lockDigest();
  const [installedDigest, installedKind] = existsSync(STAMP)
    ? readFileSync(STAMP, "utf8").trim().split(" ")
    : [];
  if (installedDigest === digest && (installedKind === "all" || kind === "production")) return;
  console.error("meshkv: installing dependencies");
  // No dependency of ours needs an install script, and some fetch what is not theirs to fetch.
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
  options.push(kind === "production" ? "--omit=dev" : "--include=dev");
  const status = run("npm", ["ci", ...options], { quiet: true });
  if (status !== 0) throw new Error(`npm ci failed with exit code ${status}`);
  writeFileSync(STAMP, `${digest} ${kind}\n`);
}
