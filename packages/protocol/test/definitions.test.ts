import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const GENERATED = join(PACKAGE, "src/gen");

function buf(...args: string[]): { status: number | null; output: string } {
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env["PATH"] ?? ""}` };
  const result = spawnSync(join(BIN, "buf"), args, { cwd: PACKAGE, env, encoding: "utf8" });
  return { status: result.status, output: `${result.stdout}${result.stderr}` };
}

function filesBelow(root: string): Record<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(root, path), readFileSync(path, "utf8")]));
}

// buf ships as a binary for the common platforms only, and nobody needs it to build or to run meshkv.
const canRun = existsSync(join(BIN, "buf")) && buf("--version").status === 0;

describe.skipIf(!canRun)(`the definitions${canRun ? "" : " (skipped: buf does not run here)"}`, () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "meshkv-gen-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("pass buf lint", () => {
    expect(buf("lint")).toEqual({ status: 0, output: "" });
  });

  it("are what the committed code was generated from", () => {
    expect(buf("generate", "-o", directory)).toEqual({ status: 0, output: "" });
    expect(filesBelow(join(directory, "src/gen"))).toEqual(filesBelow(GENERATED));
  });
});
