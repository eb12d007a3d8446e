/** The packages as they are published: packed, unpacked in an empty directory, and used from there. */
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Stage } from "@meshkv/testing";
import { expect } from "vitest";
import { ROOT } from "./examples.ts";

/** Runs a program to its end. */
export const run = promisify(execFile);
const PACKAGES = ["core", "protocol", "client", "keyv"];

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Packs every package into the directory; returns the tarballs, in the order of the packages. */
export async function pack(folder: string): Promise<string[]> {
  const names = PACKAGES.flatMap((name) => ["--workspace", `@meshkv/${name}`]);
  await run("npm", ["pack", ...names, "--pack-destination", folder, "--ignore-scripts", "--silent"], {
    cwd: ROOT,
  });
  return Promise.all(
    PACKAGES.map(async (name) => {
      const text = await readFile(join(ROOT, "packages", name, "package.json"), "utf8");
      return join(folder, `meshkv-${name}-${(JSON.parse(text) as Manifest).version}.tgz`);
    }),
  );
}

/** Does what an installation does, with the libraries that this project has already. */
export async function install(folder: string, tarballs: readonly string[]): Promise<void> {
  const linked = new Set<string>();
  for (const [index, tarball] of tarballs.entries()) {
    const home = join(folder, "node_modules/@meshkv", PACKAGES[index] ?? "");
    await mkdir(home, { recursive: true });
    await run("tar", ["xzf", tarball, "-C", home, "--strip-components=1"]);
    const manifest = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as Manifest;
    // Only what is declared: anything else would be missing at a user's.
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      if (name.startsWith("@meshkv/") || linked.has(name)) continue;
      linked.add(name);
      const path = join(folder, "node_modules", name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(join(ROOT, "node_modules", name), path, "dir");
    }
  }
}

/** The first program of the README. */
async function programOfReadme(address: string): Promise<string> {
  const code = /```js\n([\s\S]*?)```/.exec(await readFile(join(ROOT, "README.md"), "utf8"))?.[1] ?? "";
  expect(code.trim().split("\n").length).toBeLessThanOrEqual(10);
  return code.replaceAll("127.0.0.1:4000", address);
}

/** Starts a server, and writes the README's first program for it into a folder. */
export async function writeProgram(
  folder: string,
  stage: Stage,
): Promise<{ readonly program: string; readonly address: string }> {
  const [server] = (await stage.mesh(1)).servers;
  await server?.start();
  const program = join(folder, "program.mjs");
  const address = server?.address ?? "";
  await writeFile(program, await programOfReadme(address));
  return { program, address };
}
