/** Every example in the documentation of the client and of the Keyv adapter compiles, and runs against a live mesh. */
import { execFile } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect, it } from "vitest";
import { examplesOf, moduleOf, ROOT, sourcePaths, typeErrors, withoutExample } from "./examples.ts";

const RUNNER = fileURLToPath(new URL("./run-examples.mjs", import.meta.url));
const DOCUMENTS = [
  "docs/guide-from-redis-and-keyv.md",
  "docs/CLIENT.md",
  "packages/client/README.md",
  "packages/keyv/README.md",
];

const examples = [
  ...sourcePaths("packages/client/src"),
  ...sourcePaths("packages/keyv/src"),
  ...DOCUMENTS,
].flatMap(examplesOf);

describe("examples", () => {
  it.each(["packages/client/src", "packages/keyv/src"])("stand at every export of %s", (folder) => {
    expect(withoutExample(folder)).toEqual([]);
  });

  it("compile", { timeout: STAGE_TEST_MS_MAX }, () => {
    expect(examples.length).toBeGreaterThan(50);
    expect(typeErrors(examples)).toEqual([]);
  });

  stageTest("run against a live mesh", { timeout: STAGE_TEST_MS_MAX }, async ({ stage }) => {
    const { servers } = await stage.mesh(1);
    const [server] = servers;
    await server?.start();
    await symlink(join(ROOT, "node_modules"), join(stage.folder, "node_modules"), "dir");
    const paths = await Promise.all(
      examples.map(async (example, index) => {
        const path = join(stage.folder, `example-${index}.mjs`);
        await writeFile(path, moduleOf(example, server?.address ?? ""));
        return path;
      }),
    );
    const { stdout } = await promisify(execFile)(process.execPath, [RUNNER, ...paths]);
    const reports = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { readonly path: string; readonly error?: string });
    const failures = reports.flatMap(({ path, error }) => {
      const place = examples[paths.indexOf(path)]?.place ?? path;
      return error === undefined ? [] : [`${place}: ${error}`];
    });
    expect(failures).toEqual([]);
    expect(reports).toHaveLength(examples.length);
  });
});
