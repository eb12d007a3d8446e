#!/usr/bin/env node
/**
 * `npm start`: from a fresh clone to a running local mesh. Installs what is needed to run, builds, and becomes
 * `meshkv dev`, in this very process, so that signals and exit code need no forwarding. Further arguments go
 * to it.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "./lib/build.mjs";
import { endWithParent } from "./lib/end-with-parent.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { ROOT } from "./lib/run.mjs";

const BINARY = join(ROOT, "packages/cli/bin/meshkv.js");

function prepare() {
  try {
    ensureInstalled("production");
    ensureBuilt();
    return true;
  } catch (error) {
    console.error(`meshkv: cannot start: ${error.message}`);
    process.exitCode = 1;
    return false;
  }
}

if (prepare()) {
  if (process.env.npm_lifecycle_event === "start") endWithParent();
  process.argv = [process.execPath, BINARY, "dev", ...process.argv.slice(2)];
  await import(pathToFileURL(BINARY));
}
