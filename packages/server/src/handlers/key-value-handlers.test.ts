import { formatVersion, type KeyText, keyTextFromBytes, MeshkvError } from "@meshkv/core";
import {
  BatchRequestSchema,
  create,
  DeleteRequestSchema,
  type DescMessage,
  durationFromMs,
  EntrySchema,
  fromBinary,
  GetRequestSchema,
  ListRequestSchema,
  ListResponseSchema,
  type MessageInitShape,
  SetRequestSchema,
  timestampMs,
} from "@meshkv/protocol";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import type { CallInfo } from "./call-info.ts";
import { KeyValueHandlers } from "./key-value-handlers.ts";

const CALL: CallInfo = { signal: new AbortController().signal, deadlineMs: undefined };
const LOCAL = { kind: "replicas", count: 1 } as const;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

let replica: FakeReplica;
let handlers: KeyValueHandlers;

beforeEach(() => {
  replica = new FakeReplica();
  handlers = new KeyValueHandlers({ replica, valueBytesMax: 1 << 20, defaultConcern: LOCAL });
});

function put(key: string, value: string | Uint8Array = key, expiresAtMs = 0): void {
  replica.put({
    key: key as KeyText,
    value: typeof value === "string" ? bytesOf(value) : value,
    expiresAtMs,
  });
}

const get = async (fields: MessageInitShape<typeof GetRequestSchema>) => {
  const { session: _, ...reply } = await handlers.get(create(GetRequestSchema, fields), CALL);
  return reply;
};
const set = (fields: MessageInitShape<typeof SetRequestSchema>) =>
  handlers.set(create(SetRequestSchema, fields), CALL);
const del = (fields: MessageInitShape<typeof DeleteRequestSchema>) =>
  handlers.delete(create(DeleteRequestSchema, fields), CALL);
const list = (fields: MessageInitShape<typeof ListRequestSchema>) =>
  handlers.list(create(ListRequestSchema, fields), CALL);
const batch = (fields: MessageInitShape<typeof BatchRequestSchema>) =>
  handlers.batch(create(BatchRequestSchema, fields), CALL);

/** Reply entries as `key=value`. */
function shown(reply: Awaited<ReturnType<typeof list>>): string[] {
  return (reply.entries ?? []).map((init) => {
    const entry = create(EntrySchema, init);
    return `${textOf(entry.key)}=${textOf(entry.value)}`;
  });
}

describe("get", () => {
  it("answers the live entry, and nothing for absent, deleted and expired ones", async () => {
    put("live", "v", replica.clockMs + 1);
    put("expired", "v", replica.clockMs);
    replica.put({ key: "deleted" as KeyText, value: undefined, expiresAtMs: 0 });
    const entry = create(EntrySchema, (await get({ key: bytesOf("live") })).entry);
    expect(textOf(entry.value)).toBe("v");
    expect(entry.expireTime && timestampMs(entry.expireTime)).toBe(replica.clockMs + 1);
    for (const key of ["expired", "deleted", "absent"]) expect(await get({ key: bytesOf(key) })).toEqual({});
  });

  it("shows conflicts when asked, as many as a reply holds", async () => {
    put("k", "winner");
    for (let number = 0; number < 5; number += 1) {
      replica.addConflict("k" as KeyText, new Uint8Array(1 << 20).fill(number));
    }
    expect((await get({ key: bytesOf("k") })).conflicts).toBeUndefined();
    const reply = await get({ key: bytesOf("k"), includeConflicts: true });
    expect(create(EntrySchema, reply.entry).conflictCount).toBe(5);
    expect(reply.conflicts?.map((loser) => loser.value?.[0])).toEqual([4, 3]);
  });

  it("shows the conflicts of a key whose winner is a delete", async () => {
    replica.put({ key: "k" as KeyText, value: undefined, expiresAtMs: 0 });
    replica.addConflict("k" as KeyText, bytesOf("loser"));
    const reply = await get({ key: bytesOf("k"), includeConflicts: true });
    expect(reply.entry).toBeUndefined();
    expect(reply.conflicts).toHaveLength(1);
  });
});

describe("set", () => {
  it("writes, with the deadline that the TTL means", async () => {
    const reply = await set({ key: bytesOf("k"), value: bytesOf("v"), ttl: durationFromMs(60_000) });
    expect(reply).toMatchObject({
      version: expect.stringMatching(/^[0-9a-f]{32}$/),
      replicas: 1,
      created: true,
    });
    expect(replica.get("k" as KeyText)?.winner.expiresAtMs).toBe(replica.clockMs + 60_000);
    await set({ key: bytesOf("k"), value: bytesOf("v") });
    expect(replica.get("k" as KeyText)?.winner.expiresAtMs).toBe(0);
  });

  it("passes the concern and the wait on", async () => {
    await set({ key: bytesOf("k") });
    const concern = { kind: { case: "replicas", value: 2 }, timeout: durationFromMs(300) } as const;
    await set({ key: bytesOf("k"), concern });
    expect(replica.commits.map(({ options }) => [options.concern, options.timeoutMs])).toEqual([
      [LOCAL, 5000],
      [{ kind: "replicas", count: 2 }, 300],
    ]);
  });

  it("does nothing for a call that is over", async () => {
    const reason = new MeshkvError("CANCELLED", "over");
    const call = { signal: AbortSignal.abort(reason), deadlineMs: undefined };
    const attempt = async (): Promise<unknown> =>
      handlers.set(create(SetRequestSchema, { key: bytesOf("k") }), call);
    await expect(attempt()).rejects.toBe(reason);
    expect(replica.commits).toEqual([]);
  });

  it("hands on what the replica says of a condition", async () => {
    put("k");
    const attempt = set({ key: bytesOf("k"), condition: { kind: { case: "ifAbsent", value: true } } });
    const winner = replica.get("k" as KeyText)?.winner;
    await expect(attempt).rejects.toMatchObject({
      code: "CONDITION_FAILED",
      metadata: { version: winner && formatVersion(winner) },
    });
  });
});

describe("delete", () => {
  it("tells whether there was a key", async () => {
    put("k");
    const target = { case: "key", value: bytesOf("k") } as const;
    expect(await del({ target })).toMatchObject({ deleted: 1n, replicas: 1 });
    expect(await del({ target })).toMatchObject({
      deleted: 0n,
      version: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it("of a prefix takes its keys, in commits of 1,000 of which only the last waits for others", async () => {
    for (let number = 0; number < 2500; number += 1) put(`p/${String(number).padStart(4, "0")}`);
    put("o");
    put("q");
    const reply = await del({
      target: { case: "prefix", value: bytesOf("p/") },
      concern: { kind: { case: "level", value: 3 } },
    });
    expect(reply).toMatchObject({ deleted: 2500n, replicas: 1 });
    expect(shown(await list({}))).toEqual(["o=o", "q=q"]);
    expect(replica.commits.map(({ writes, options }) => [writes.length, options.concern])).toEqual([
      [1000, LOCAL],
      [1000, LOCAL],
      [500, { kind: "all" }],
    ]);
  });

  it("of a prefix without keys writes nothing", async () => {
    expect(await del({ target: { case: "prefix", value: bytesOf("p/") } })).toMatchObject({ deleted: 0n });
    expect(replica.commits).toEqual([]);
  });

  it("of everything must be meant", async () => {
    put("k");
    const target = { case: "prefix", value: new Uint8Array(0) } as const;
    await expect(del({ target })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field: "prefix" },
    });
    expect(await del({ target, all: true })).toMatchObject({ deleted: 1n });
  });

  it("that fails on the way tells how far it came", async () => {
    for (let number = 0; number < 1500; number += 1) put(`p/${number}`);
    replica.beforeWrite = () => {
      if (replica.commits.length > 1) throw new MeshkvError("STORAGE_FULL", "no space");
    };
    await expect(del({ target: { case: "prefix", value: bytesOf("p/") } })).rejects.toMatchObject({
      code: "STORAGE_FULL",
      message: "no space (1000 keys were deleted before that)",
      metadata: { deleted: "1000" },
    });
  });

  it.each([
    ["nothing", {}, "target"],
    [
      "a prefix with a condition",
      { prefix: "p", condition: { kind: { case: "ifPresent", value: true } } },
      "condition",
    ],
    ["a key and all", { key: "k", all: true }, "all"],
    ["an empty key", { key: "" }, "key"],
  ] as const)("refuses %s", async (_what, { key, prefix, ...rest }: Record<string, unknown>, field) => {
    const target =
      typeof key === "string"
        ? { case: "key" as const, value: bytesOf(key) }
        : typeof prefix === "string"
          ? { case: "prefix" as const, value: bytesOf(prefix) }
          : { case: undefined };
    await expect(del({ ...rest, target })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field },
    });
  });
});

describe("list", () => {
  it("goes through every key once, in any page size and direction, with tokens of any replica", async () => {
    const keys = fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 3 }), {
      selector: (bytes) => bytes.join(),
      maxLength: 40,
    });
    const bound = fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ minLength: 1, maxLength: 2 }));
    const asked = fc.record({
      reverse: fc.boolean(),
      keysOnly: fc.boolean(),
      pageSize: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(keys, bound, bound, asked, async (all, prefix, start, fields) => {
        const stored = new FakeReplica();
        for (const key of all) stored.put({ key: keyTextFromBytes(key), value: key, expiresAtMs: 0 });
        const found: string[] = [];
        let pageToken = "";
        do {
          // Each page from another server over the same data.
          const server = new KeyValueHandlers({ replica: stored, valueBytesMax: 9, defaultConcern: LOCAL });
          const request = create(ListRequestSchema, { ...fields, prefix, start, pageToken });
          const page = await server.list(request, CALL);
          const encoded = Uint8Array.from(await server.listEncoded(request, CALL));
          expect(fromBinary(ListResponseSchema, encoded)).toEqual(create(ListResponseSchema, page));
          found.push(...(page.entries ?? []).map(({ key }) => keyTextFromBytes(key ?? new Uint8Array(0))));
          pageToken = page.nextPageToken ?? "";
        } while (pageToken !== "");
        const [prefixText, startText] = [keyTextFromBytes(prefix), keyTextFromBytes(start)];
        const expected = all
          .map(keyTextFromBytes)
          .filter((key) => key.startsWith(prefixText) && key >= startText)
          .sort();
        expect(found).toEqual(fields.reverse ? expected.reverse() : expected);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps a page within its bytes, and gives at least one entry", async () => {
    for (const key of ["a", "b", "c"]) put(key, new Uint8Array(1_500_000));
    const page = await list({});
    expect(page.entries).toHaveLength(1);
    expect(page.nextPageToken).not.toBe("");
  });

  it("of keys alone is not held up by values", async () => {
    for (const key of ["a", "b", "c"]) put(key, new Uint8Array(1_500_000));
    const page = await list({ keysOnly: true });
    expect(shown(page)).toEqual(["a=", "b=", "c="]);
    expect(page.nextPageToken).toBe("");
    expect(replica.lists.every(({ bytesMax }) => bytesMax <= 2 << 20)).toBe(true);
  });

  it("of an empty range asks nobody", async () => {
    expect(await list({ prefix: bytesOf("a"), start: bytesOf("b") })).toEqual({
      entries: [],
      nextPageToken: "",
      session: "",
    });
    expect(replica.lists).toEqual([]);
  });

  it("refuses a token of another list", async () => {
    for (const key of ["a", "b"]) put(key);
    const { nextPageToken } = await list({ pageSize: 1 });
    await expect(list({ pageToken: nextPageToken ?? "", reverse: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field: "page_token" },
    });
  });
});

describe("batch", () => {
  const setOf = (key: string, more: MessageInitShape<typeof SetRequestSchema> = {}) =>
    ({ kind: { case: "set", value: { key: bytesOf(key), value: bytesOf("v"), ...more } } }) as const;
  const deleteOf = (fields: MessageInitShape<typeof DeleteRequestSchema>) =>
    ({ kind: { case: "delete", value: fields } }) as const;

  it("is one commit with a version for each write", async () => {
    put("b");
    const reply = await batch({
      writes: [setOf("a"), deleteOf({ target: { case: "key", value: bytesOf("b") } })],
    });
    expect(new Set(reply.versions).size).toBe(2);
    expect(replica.commits).toHaveLength(1);
    expect(shown(await list({}))).toEqual(["a=v"]);
  });

  it("takes 1,000 writes", async () => {
    const writes = Array.from({ length: 1000 }, (_, index) => setOf(`k${index}`));
    expect((await batch({ writes })).versions).toHaveLength(1000);
    await expect(batch({ writes: [...writes, setOf("more")] })).rejects.toMatchObject({
      code: "TOO_LARGE",
      metadata: { field: "writes", limit: "1000" },
    });
  });

  it("takes 4 MiB of keys and values", async () => {
    const value = new Uint8Array(1 << 20);
    const writes = [setOf("a", { value }), setOf("b", { value }), setOf("c", { value })];
    const last = (bytes: number) => setOf("d", { value: new Uint8Array(bytes) });
    await expect(batch({ writes: [...writes, last((1 << 20) - 3)] })).rejects.toMatchObject({
      code: "TOO_LARGE",
    });
    expect((await batch({ writes: [...writes, last((1 << 20) - 4)] })).versions).toHaveLength(4);
  });

  it.each([
    ["nothing", [], "writes"],
    ["a write of no kind", [{}], "writes[0]"],
    [
      "a key twice",
      [setOf("a"), setOf("b"), deleteOf({ target: { case: "key", value: bytesOf("a") } })],
      "writes[2]",
    ],
    ["a prefix", [deleteOf({ target: { case: "prefix", value: bytesOf("p") } })], "writes[0].delete"],
    ["a delete of nothing", [deleteOf({})], "writes[0].delete.target"],
    ["an inner concern", [setOf("a", { concern: {} })], "writes[0].set.concern"],
    ["an inner session", [setOf("a", { session: "s" })], "writes[0].set.session"],
    ["an inner request id", [deleteOf({ requestId: "r" })], "writes[0].delete.request_id"],
    ["an empty condition", [setOf("a", { condition: {} })], "writes[0].set.condition"],
    ["an empty key", [setOf("a"), setOf("")], "writes[1].set.key"],
  ])("refuses %s, naming the place", async (_what, writes, field) => {
    await expect(batch({ writes })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", metadata: { field } });
    expect(replica.commits).toEqual([]);
  });
});

describe("requests made of any bytes", () => {
  const calls: readonly (readonly [string, DescMessage, (request: never) => unknown])[] = [
    ["Get", GetRequestSchema, (request) => handlers.get(request, CALL)],
    ["Set", SetRequestSchema, (request) => handlers.set(request, CALL)],
    ["Delete", DeleteRequestSchema, (request) => handlers.delete(request, CALL)],
    ["List", ListRequestSchema, (request) => handlers.list(request, CALL)],
    ["Batch", BatchRequestSchema, (request) => handlers.batch(request, CALL)],
  ];
  // Fields with small numbers and short contents: most of it parses.
  const field = fc
    .tuple(fc.integer({ min: 1, max: 8 }), fc.uint8Array({ maxLength: 12 }))
    .map(([number, bytes]) => [(number << 3) | 2, bytes.length, ...bytes]);
  const varint = fc
    .tuple(fc.integer({ min: 1, max: 8 }), fc.nat(127))
    .map(([number, value]) => [number << 3, value]);
  const message = fc
    .array(fc.oneof(field, varint), { maxLength: 6 })
    .map((parts) => Uint8Array.from(parts.flat()));

  it.each(calls)("%s is answered, or refused as a MeshkvError", async (_name, schema, handle) => {
    await fc.assert(
      fc.asyncProperty(message, async (bytes) => {
        let request: unknown;
        try {
          request = fromBinary(schema, bytes);
        } catch {
          return;
        }
        const run = async (): Promise<unknown> => handle(request as never);
        const failure = await run().then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(failure === undefined || failure instanceof MeshkvError).toBe(true);
      }),
    );
  });
});
