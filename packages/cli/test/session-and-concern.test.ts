import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concernOf } from "../src/concern-option.ts";
import { readSessionFile, writeSessionFile } from "../src/session-file.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "meshkv-cli-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("a session file", () => {
  it("begins empty, and keeps a token for the next command", async () => {
    const path = join(folder, "session");
    expect(await readSessionFile(path)).toBe("");
    await writeSessionFile(path, "one");
    expect(await readFile(path, "utf8")).toBe("one\n");
    expect((await stat(path)).mode & 0o777, "nobody else reads it").toBe(0o600);
    expect(await readSessionFile(path)).toBe("one");
  });

  it("is named when it cannot be used", async () => {
    await expect(readSessionFile(folder)).rejects.toThrow(/--session-file: .* cannot be used/);
    await expect(writeSessionFile(join(folder, "none", "session"), "one")).rejects.toThrow(/ENOENT/);
  });
});

describe("--concern", () => {
  it("is a level or a number of replicas", () => {
    expect(concernOf({})).toEqual({});
    expect(concernOf({ concern: "all" })).toEqual({ concern: "all" });
    expect(concernOf({ concern: "3" })).toEqual({ concern: 3 });
    for (const concern of ["0", "", "-1", "most", "1.5"]) {
      expect(() => concernOf({ concern })).toThrow(/--concern/);
    }
  });
});
