/** The packages as they are published, on the Node that runs this and on the newest. */
import { join } from "node:path";
import { STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { ROOT } from "./examples.ts";
import { newestNode } from "./newest-node.ts";
import { install, pack, run, writeProgram } from "./packed.ts";

describe("packed", { timeout: STAGE_TEST_MS_MAX }, () => {
  stageTest("the README's program runs from the tarballs", async ({ stage }) => {
    const tarballs = await pack(stage.folder);
    await install(stage.folder, tarballs);
    const program = await writeProgram(stage.folder, stage);
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
    const newest = await newestNode(join(stage.folder, "newest-node"));
    if ("problem" in newest) skip(newest.problem);
    else {
      expect((await run(newest.path, ["--version"])).stdout.trim()).toBe(`v${newest.version}`);
      await install(stage.folder, await pack(stage.folder));
      const program = await writeProgram(stage.folder, stage);
      const { stdout, stderr } = await run(newest.path, [program], { cwd: stage.folder });
      expect(stderr).toBe("");
      expect(stdout).toContain("{ items: 3 }");
      process.stderr.write(`the README program ran on Node ${newest.version}\n`);
    }
  });
});
