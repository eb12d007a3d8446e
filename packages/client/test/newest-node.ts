/** The newest Node there is, from npm, where each platform's is a package of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./packed.ts";

/** Without a network nobody waits long; with one it is some 50 MB. */
const VIEW_MS_MAX = 60_000;
const INSTALL_MS_MAX = 240_000;

/** The binary and its version, or why there is none. */
export type NewestNode = { readonly path: string; readonly version: string } | { readonly problem: string };

/** Fetches the newest Node into a folder, and packages that need one so new. */
export async function newestNode(folder: string, packages: readonly string[]): Promise<NewestNode> {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  try {
    const view = ["view", name, "version", "--json", "--fetch-retries=0"];
    const version: unknown = JSON.parse((await run("npm", view, { timeout: VIEW_MS_MAX })).stdout);
    if (typeof version !== "string") return { problem: `npm knows no version of ${name}` };
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), "{}");
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=1"];
    const timeout = INSTALL_MS_MAX;
    const all = [`${name}@${version}`, ...packages];
    await run("npm", ["install", ...all, "--prefix", folder, ...quiet], { timeout });
    const binary = platform === "win" ? "bin/node.exe" : "bin/node";
    return { path: join(folder, "node_modules", name, binary), version };
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split("\n");
    return { problem: `npm cannot get the newest Node (${name}): ${reason}` };
  }
}
