import { EMPTY_CONTEXT, type KeyText, makeRecord, type WatchEvent, type WriteRecord } from "@meshkv/core";
import { create, type MessageInitShape, WatchEvent_Type, WatchRequestSchema } from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import { WatchHandlers } from "./watch-handlers.ts";

const CALL = { signal: new AbortController().signal, deadlineMs: undefined };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const KEY = { case: "key" as const, value: bytes("k") };

function recordOf(replica: FakeReplica, timestamp: number, value: string | undefined): WriteRecord {
  return makeRecord({
    timestamp,
    origin: replica.replicaId,
    key: "k" as KeyText,
    isDelete: value === undefined,
    value: bytes(value ?? ""),
    expiresAtMs: 0,
    context: EMPTY_CONTEXT,
    moreFollows: false,
    adopted: undefined,
  });
}

function watch(replica: FakeReplica, request: MessageInitShape<typeof WatchRequestSchema>) {
  return new WatchHandlers({ replica }).watch(create(WatchRequestSchema, request), CALL);
}

describe("Watch", () => {
  it.each([
    [{}, "target: is missing"],
    [{ target: { case: "key" as const, value: bytes("") } }, "key: is empty"],
    [{ target: KEY, resume: "!" }, "resume: is no token"],
    [{ target: KEY, resume: "A".repeat(20_000) }, "resume: is no token"],
    [{ target: KEY, resume: "AAAA", initial: true }, "initial: does not go with resume"],
  ])("refuses %j", async (request, text) => {
    await expect(watch(new FakeReplica(), request).next()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(text),
    });
  });

  it("tells winners, deletes, expiries and conflicts, each with its token", async () => {
    const replica = new FakeReplica();
    const [old, put, gone] = [
      recordOf(replica, 1, "old"),
      recordOf(replica, 2, "new"),
      recordOf(replica, 3, undefined),
    ];
    const entry = { winner: put, siblings: [] };
    const events: WatchEvent[] = [
      { kind: "put", entry, previous: old },
      { kind: "conflict", entry, previous: old },
      { kind: "delete", entry: { winner: gone, siblings: [] }, previous: put },
      { kind: "expire", entry, previous: put },
    ];
    replica.pages = [{ events, synced: true }];
    const shown = async (previous: boolean): Promise<unknown[]> => {
      const { value } = await watch(replica, { target: KEY, previous }).next();
      if (value === undefined) throw new Error("no reply");
      expect(value).toMatchObject({ resume: "AQI", synced: true });
      return (value.events ?? []).map((event) => [
        event.type,
        new TextDecoder().decode(event.entry?.value),
        event.previous && new TextDecoder().decode(event.previous.value),
      ]);
    };
    expect(await shown(false)).toEqual([
      [WatchEvent_Type.PUT, "new", undefined],
      [WatchEvent_Type.CONFLICT, "new", "old"],
      [WatchEvent_Type.DELETE, "", undefined],
      [WatchEvent_Type.EXPIRE, "", undefined],
    ]);
    expect(await shown(true)).toEqual([
      [WatchEvent_Type.PUT, "new", "old"],
      [WatchEvent_Type.CONFLICT, "new", "old"],
      [WatchEvent_Type.DELETE, "", "new"],
      [WatchEvent_Type.EXPIRE, "", "new"],
    ]);
  });

  it("fails alone, and is closed, when a page of it cannot be told", async () => {
    const replica = new FakeReplica();
    const open = replica.watch.bind(replica);
    const token = (): never => {
      throw new Error("a bug");
    };
    replica.watch = (request) => ({ ...open(request), token });
    const handlers = new WatchHandlers({ replica });
    const replies = handlers.watch(create(WatchRequestSchema, { target: KEY }), CALL);
    await expect(replies.next()).rejects.toThrow("a bug");
    expect([handlers.watcherCount, replica.openWatches]).toEqual([0, 0]);
    expect(await replies.next()).toEqual({ done: true, value: undefined });
  });

  it("is closed and not counted any more when nobody asks for more", async () => {
    const replica = new FakeReplica();
    const handlers = new WatchHandlers({ replica });
    const replies = handlers.watch(create(WatchRequestSchema, { target: KEY }), CALL);
    await replies.next();
    expect([handlers.watcherCount, replica.openWatches]).toEqual([1, 1]);
    await replies.return();
    expect([handlers.watcherCount, replica.openWatches]).toEqual([0, 0]);
  });
});
