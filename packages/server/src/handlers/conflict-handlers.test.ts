import { formatVersion, type KeyText, MeshkvError, parseVersion } from "@meshkv/core";
import {
  create,
  ListConflictsRequestSchema,
  type MessageInitShape,
  RestoreConflictRequestSchema,
} from "@meshkv/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import type { CallInfo } from "./call-info.ts";
import { ConflictHandlers } from "./conflict-handlers.ts";

const CALL: CallInfo = { signal: new AbortController().signal, deadlineMs: undefined };
let replica: FakeReplica;
let handlers: ConflictHandlers;

beforeEach(() => {
  replica = new FakeReplica();
  handlers = new ConflictHandlers({ replica, defaultConcern: { kind: "replicas", count: 1 } });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function conflicted(key: string, ...losers: readonly string[]): void {
  replica.put({ key: key as KeyText, value: bytes("winner"), expiresAtMs: 0 });
  for (const loser of losers) replica.addConflict(key as KeyText, bytes(loser));
}

function list(request: MessageInitShape<typeof ListConflictsRequestSchema> = {}) {
  return handlers.list(create(ListConflictsRequestSchema, request), CALL);
}

function restore(request: MessageInitShape<typeof RestoreConflictRequestSchema>) {
  return handlers.restore(create(RestoreConflictRequestSchema, request), CALL);
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof MeshkvError ? `${error.code} ${error.metadata["field"] ?? ""}`.trim() : "none";
}

describe("listing conflicts", () => {
  it("answers winner and losers of the keys that have any, page by page", async () => {
    conflicted("a/1", "one", "two");
    conflicted("a/2");
    conflicted("b/1", "three");
    const first = await list({ pageSize: 1 });
    expect(first.conflicts).toMatchObject([
      { winner: { key: bytes("a/1"), value: bytes("winner") }, losers: [{}, {}] },
    ]);
    const second = await list({ pageSize: 1, pageToken: first.nextPageToken ?? "" });
    expect(second.conflicts).toMatchObject([{ winner: { key: bytes("b/1") }, losers: [{ settled: false }] }]);
    expect(second.nextPageToken).toBe("");
    expect((await list({ prefix: bytes("b/") })).conflicts).toHaveLength(1);
    expect((await list({ prefix: bytes("c/") })).conflicts).toHaveLength(0);
  });

  it("refuses a token of another list", async () => {
    conflicted("a", "one");
    conflicted("b", "two");
    const { nextPageToken = "" } = await list({ pageSize: 1 });
    expect(nextPageToken).not.toBe("");
    const wrong = [
      { pageToken: "nonsense" },
      { pageToken: nextPageToken, prefix: bytes("a") },
      { pageToken: nextPageToken, includeSettled: true },
    ];
    for (const request of wrong) expect(await refusal(list(request))).toBe("INVALID_ARGUMENT page_token");
  });
});

describe("restoring a loser", () => {
  it("writes its value again", async () => {
    conflicted("a", "loser");
    const [conflict] = (await list()).conflicts ?? [];
    const version = conflict?.losers?.[0]?.version ?? "";
    const reply = await restore({ key: bytes("a"), version });
    const winner = replica.get("a" as KeyText)?.winner;
    expect(winner?.value).toEqual(bytes("loser"));
    expect(reply.version).toBe(winner && formatVersion(winner));
    expect(reply.replicas).toBe(1);
  });

  it("keeps the deadline, and refuses what has passed it", async () => {
    const key = "a" as KeyText;
    const expiresAtMs = replica.clockMs + 60_000;
    replica.put({ key, value: bytes("brief"), expiresAtMs });
    const loser = replica.get(key)?.winner;
    const version = replica.put({ key, value: bytes("winner"), expiresAtMs: 0 });
    const winner = replica.get(key)?.winner;
    if (loser === undefined || winner === undefined) throw new Error("no records");
    replica.entries.set(key, { winner, siblings: [loser] });
    await restore({ key: bytes("a"), version: formatVersion(loser) });
    expect(replica.get(key)?.winner).toMatchObject({ expiresAtMs, value: bytes("brief") });
    replica.entries.set(key, { winner, siblings: [loser] });
    replica.clockMs = expiresAtMs;
    expect(await refusal(restore({ key: bytes("a"), version: formatVersion(loser) }))).toBe("NOT_FOUND");
    expect(replica.get(key)?.winner.timestamp).toBe(version.timestamp);
  });

  it("refuses what is no kept loser, and writes nothing", async () => {
    conflicted("a", "loser");
    const { winner } = replica.get("a" as KeyText) ?? {};
    const version = winner === undefined ? "" : formatVersion(winner);
    expect(parseVersion(version)).toBeDefined();
    expect(await refusal(restore({ key: bytes("a"), version }))).toBe("NOT_FOUND");
    expect(await refusal(restore({ key: bytes("b"), version }))).toBe("NOT_FOUND");
    expect(await refusal(restore({ key: bytes("a"), version: "12" }))).toBe("INVALID_ARGUMENT version");
    expect(await refusal(restore({ key: bytes(""), version }))).toBe("INVALID_ARGUMENT key");
    expect(replica.commits).toHaveLength(0);
  });
});
