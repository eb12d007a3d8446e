/** The packages as they are published: packed, unpacked in an empty directory, and used from there. */
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Stage, STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { ROOT } from "./examples.ts";

const run = promisify(execFile);
const PACKAGES = ["core", "protocol", "client", "keyv"];

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Packs every package into the directory; returns the tarballs, in the order of the packages. */
async function pack(folder: string): Promise<string[]> {
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
async function install(folder: string, tarballs: readonly string[]): Promise<void> {
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

async function serve(stage: Stage): Promise<string> {
  const [server] = (await stage.mesh(1)).servers;
  await server?.start();
  return server?.address ?? "";
}

describe("packed", () => {
  stageTest(
    "the README's program runs from the tarballs",
    { timeout: STAGE_TEST_MS_MAX },
    async ({ stage }) => {
      const tarballs = await pack(stage.folder);
      await install(stage.folder, tarballs);
      const program = join(stage.folder, "program.mjs");
      await writeFile(program, await programOfReadme(await serve(stage)));
      const { stdout, stderr } = await run(process.execPath, [program], { cwd: stage.folder });
      expect(stderr).toBe("");
      expect(stdout).toContain("{ items: 3 }");

      const tool = (name: string, ...args: string[]): Promise<{ readonly stdout: string }> =>
        run(process.execPath, [join(ROOT, "node_modules", name), ...args], { cwd: stage.folder });
      for (const tarball of tarballs.slice(2)) {
        expect((await tool("publint/src/cli.js", "run", tarball, "--strict")).stdout).toContain("All good");
        // Modules only: what old resolvers and require() make of them is known.
        await tool("@arethetypeswrong/cli/dist/index.js", tarball, "--profile", "esm-only", "--quiet");
      }
    },
  );
});
