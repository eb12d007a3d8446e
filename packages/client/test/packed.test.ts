/** The packages as they are published, on the Node that runs this and on the newest. */
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { ROOT } from "./examples.ts";
import { newestNode } from "./newest-node.ts";
import { install, pack, run, writeProgram } from "./packed.ts";

/** What Keyv 6 itself makes of the store: two namespaces, many keys at once, a life that is over. */
const KEYV_6 = `
import { setTimeout as sleep } from "node:timers/promises";
import { KeyvMeshkv6 } from "@meshkv/keyv";
import Keyv from "keyv";
const keyvOf = (namespace) => new Keyv({ store: new KeyvMeshkv6(process.argv[2]), namespace, throwOnErrors: true });
const [one, other] = [keyvOf("one"), keyvOf("other")];
const found = [];
await one.set("a", { is: "a" }, 3_600_000);
await other.set("a", "not this");
const set = await one.setMany([{ key: "b", value: 2 }, { key: "c", value: [3] }]);
for await (const pair of one.iterator()) found.push(pair);
const answers = { set, found, get: await one.getMany(["a", "none"]), has: await one.hasMany(["b", "none"]) };
answers.deleted = await one.deleteMany(["a", "none"]);
await one.set("short", 1, 1);
await sleep(10);
answers.short = await one.has("short");
await one.clear();
answers.cleared = [await one.has("b"), await other.has("a")];
await Promise.all([one.disconnect(), other.disconnect()]);
console.log(JSON.stringify(answers));
`;
const KEYV_6_ANSWERS = {
  set: [true, true],
  found: [
    ["a", { is: "a" }],
    ["b", 2],
    ["c", [3]],
  ],
  // JSON has no undefined.
  get: [{ is: "a" }, null],
  has: [true, false],
  deleted: [true, false],
  short: false,
  cleared: [false, true],
};

describe("packed", { timeout: STAGE_TEST_MS_MAX }, () => {
  stageTest("the README's program runs from the tarballs", async ({ stage }) => {
    const tarballs = await pack(stage.folder);
    await install(stage.folder, tarballs);
    const { program } = await writeProgram(stage.folder, stage);
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
  });

  stageTest("and on the newest Node", { timeout: 2 * STAGE_TEST_MS_MAX }, async ({ stage, skip }) => {
    const home = join(stage.folder, "newest-node");
    const newest = await newestNode(home, ["keyv@6"]);
    if ("problem" in newest) skip(newest.problem);
    else {
      expect((await run(newest.path, ["--version"])).stdout.trim()).toBe(`v${newest.version}`);
      await install(stage.folder, await pack(stage.folder));
      const { program, address } = await writeProgram(stage.folder, stage);
      const { stdout, stderr } = await run(newest.path, [program], { cwd: stage.folder });
      expect(stderr).toBe("");
      expect(stdout).toContain("{ items: 3 }");

      // Keyv 6 needs a newer Node than this project.
      await symlink(join(home, "node_modules/keyv"), join(stage.folder, "node_modules/keyv"), "dir");
      const keyv = join(stage.folder, "keyv-6.mjs");
      await writeFile(keyv, KEYV_6);
      const used = await run(newest.path, [keyv, address], { cwd: stage.folder });
      expect(used.stderr).toBe("");
      expect(JSON.parse(used.stdout)).toEqual(KEYV_6_ANSWERS);
      process.stderr.write(`the README program ran on Node ${newest.version}\n`);
    }
  });
});
