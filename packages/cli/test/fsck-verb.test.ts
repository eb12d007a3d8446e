import { MeshkvError } from "@meshkv/protocol";
import type * as StoreModule from "@meshkv/store";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { runCli } from "./run-cli.ts";

const fsck = vi.hoisted(() => vi.fn<typeof StoreModule.fsck>());

vi.mock(import("@meshkv/store"), async (importOriginal) => ({ ...(await importOriginal()), fsck }));

const COUNTS = { files: 3, entries: 12 };

beforeEach(() => {
  fsck.mockReset().mockResolvedValue({ findings: [], counts: COUNTS });
});

describe("fsck", () => {
  it("says that all is in order, and what was looked at", async () => {
    expect(await runCli(["fsck", "d"])).toMatchObject({
      exitCode: 0,
      stdout: "files    3\nentries  12\nd is in order\n",
      stderr: "",
    });
    expect(fsck).toHaveBeenCalledExactlyOnceWith("d");
    const { stdout } = await runCli(["fsck", "d", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ findings: 0, counts: COUNTS });
  });

  it("lists what is wrong, and exits with 1", async () => {
    const findings = [
      { kind: "file", message: "000005.ldb at byte 12: checksum" },
      { kind: "digest", message: "differs" },
    ] as const;
    fsck.mockResolvedValue({ findings, counts: COUNTS });
    expect(await runCli(["fsck", "d"])).toMatchObject({
      exitCode: 1,
      stdout:
        "file: 000005.ldb at byte 12: checksum\ndigest: differs\nfiles    3\nentries  12\nd: 2 things are wrong\n",
    });
    const { exitCode, stdout } = await runCli(["fsck", "d", "--json"]);
    expect(exitCode).toBe(1);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([...findings, { findings: 2, counts: COUNTS }]);
  });

  it("says why it cannot check", async () => {
    fsck.mockRejectedValue(
      new MeshkvError("DIRECTORY_LOCKED", "d is in use by another process", { directory: "d" }),
    );
    expect(await runCli(["fsck", "d"])).toMatchObject({
      exitCode: 1,
      stderr: "meshkv: d is in use by another process\n",
    });
    const { stderr } = await runCli(["fsck", "d", "--json"]);
    expect(JSON.parse(stderr)).toMatchObject({ error: "DIRECTORY_LOCKED", directory: "d" });
  });
});
