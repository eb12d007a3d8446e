import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, KeyValue, MeshkvError, SetRequestSchema, WriteConcern_Level } from "@meshkv/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concernOf } from "../src/concern-option.ts";
import { SessionFile } from "../src/session-file.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "meshkv-cli-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("a session file", () => {
  it("begins empty, and keeps the token of the last reply for the next command", async () => {
    const path = join(folder, "session");
    const file = await SessionFile.open(path);
    expect(file.into(KeyValue.method.get, { key: new Uint8Array(1) })).toMatchObject({ session: "" });
    file.take({ session: "one" });
    file.take({ session: "" });
    await file.save();
    expect(await readFile(path, "utf8")).toBe("one\n");
    expect((await stat(path)).mode & 0o777, "nobody else reads it").toBe(0o600);
    const next = await SessionFile.open(path);
    expect(next.into(KeyValue.method.list, {})).toMatchObject({ session: "one" });
    next.take(new MeshkvError("CONCERN_NOT_MET", "it is written", { session: "two" }));
    expect(next.into(KeyValue.method.set, create(SetRequestSchema))).toMatchObject({ session: "two" });
  });

  it("is written only when something is new, and named when it cannot be used", async () => {
    const path = join(folder, "session");
    await (await SessionFile.open(path)).save();
    await expect(stat(path)).rejects.toThrow("ENOENT");
    await expect(SessionFile.open(folder)).rejects.toThrow(/--session-file: .* cannot be used/);
    await writeFile(path, "one");
    const file = await SessionFile.open(path);
    await rm(folder, { recursive: true });
    file.take({ session: "two" });
    await expect(file.save()).rejects.toThrow(/ENOENT/);
    folder = await mkdtemp(join(tmpdir(), "meshkv-cli-"));
  });
});

describe("--concern", () => {
  it("is a level or a number of replicas", () => {
    expect(concernOf({})).toEqual({});
    expect(concernOf({ concern: "all" }).concern?.kind).toEqual({
      case: "level",
      value: WriteConcern_Level.ALL,
    });
    expect(concernOf({ concern: "3" }).concern?.kind).toEqual({ case: "replicas", value: 3 });
    for (const concern of ["0", "", "-1", "most", "1.5"]) {
      expect(() => concernOf({ concern })).toThrow(/--concern/);
    }
  });
});
