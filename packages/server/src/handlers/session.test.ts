import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MeshkvError, type ReplicaId, SessionToken } from "@meshkv/core";
import {
  BatchRequestSchema,
  create,
  DeleteRequestSchema,
  GetManyRequestSchema,
  GetRequestSchema,
  ListRequestSchema,
  type MessageInitShape,
  SetRequestSchema,
} from "@meshkv/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startReplica } from "../../test/real-replica.ts";
import type { ServedReplica } from "../runtime/served-replica.ts";
import type { CallInfo } from "./call-info.ts";
import { KeyValueHandlers } from "./key-value-handlers.ts";

const CALL: CallInfo = { signal: new AbortController().signal, deadlineMs: undefined };
/** A foreign origin: nobody here ever gets its writes. */
const ELSEWHERE = "00000000000000ee" as ReplicaId;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let folder: string;
let replica: ServedReplica;
let handlers: KeyValueHandlers;

async function open(): Promise<void> {
  replica = await startReplica(join(folder, "data"));
  const defaultConcern = { kind: "replicas", count: 1 } as const;
  handlers = new KeyValueHandlers({ replica, valueBytesMax: 1 << 20, defaultConcern });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "meshkv-session-"));
  await open();
});

afterEach(async () => {
  await replica.stop();
  await rm(folder, { recursive: true });
});

const shortly = (): CallInfo => ({ ...CALL, deadlineMs: Date.now() + 150 });
const get = (key: string, session = "", call = CALL) =>
  handlers.get(create(GetRequestSchema, { key: bytesOf(key), session }), call);
const set = (fields: MessageInitShape<typeof SetRequestSchema>, call = CALL) =>
  handlers.set(create(SetRequestSchema, { key: bytesOf("k"), value: bytesOf("v"), ...fields }), call);

async function failure(work: unknown): Promise<MeshkvError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof MeshkvError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

function seenBy(session: string | undefined): ReturnType<SessionToken["versions"]> {
  const result = SessionToken.decode(Buffer.from(session ?? "", "base64url"), "default");
  if ("problem" in result) throw new Error(result.problem);
  return result.token.versions();
}

/** Whether a session has all that another has seen, or later: a delete may have been forgotten, and the horizon shown for it. */
function tellsOf(session: string | undefined, other: string | undefined): boolean {
  const seen = seenBy(session);
  return seenBy(other).every(({ origin, timestamp }) =>
    seen.some((one) => one.origin === origin && one.timestamp >= timestamp),
  );
}

/** A token of a session that has seen what this replica does not have. */
function ahead(): string {
  const token = new SessionToken("default");
  token.saw({ origin: ELSEWHERE, timestamp: 5 }, undefined);
  return Buffer.from(token.encode(replica.standing)).toString("base64url");
}

describe("replies", () => {
  it("carry what was written and read, with what the session had seen before", async () => {
    const one = await set({ key: bytesOf("a") });
    const [first] = seenBy(one.session);
    expect(`${first?.timestamp.toString(16).padStart(16, "0")}${first?.origin}`).toBe(one.version);
    const two = await set({ key: bytesOf("b") });
    const read = await get("a", two.session);
    expect(seenBy(read.session), "reading the older one takes nothing away").toEqual(seenBy(two.session));
    expect(seenBy((await get("b")).session)).toEqual(seenBy(two.session));
    const deleted = await handlers.delete(
      create(DeleteRequestSchema, {
        target: { case: "key", value: bytesOf("a") },
        session: two.session ?? "",
      }),
      CALL,
    );
    const [tombstone] = seenBy(deleted.session);
    expect(tombstone?.timestamp).toBeGreaterThan(first?.timestamp ?? Number.NaN);
    expect(tellsOf((await get("a")).session, deleted.session), "an absent key shows its delete").toBe(true);
  });

  it("to lists and many keys carry the deletes in the range, which are part of what was shown", async () => {
    await set({ key: bytesOf("l/a") });
    const deleted = await handlers.delete(
      create(DeleteRequestSchema, { target: { case: "key", value: bytesOf("l/a") } }),
      CALL,
    );
    const listed = await handlers.list(create(ListRequestSchema, { prefix: bytesOf("l/") }), CALL);
    expect(listed.entries).toEqual([]);
    expect(tellsOf(listed.session, deleted.session)).toBe(true);
    const many = await handlers.getMany(create(GetManyRequestSchema, { keys: [bytesOf("l/a")] }), CALL);
    expect(tellsOf(many.session, deleted.session)).toBe(true);
  });
});

describe("a session that has seen more than this replica has", () => {
  it("is refused, reads and writes alike, in time for the answer, and nothing is written", async () => {
    const session = ahead();
    const refusals = [
      await failure(get("k", session, shortly())),
      await failure(set({ session }, shortly())),
      await failure(handlers.list(create(ListRequestSchema, { session }), shortly())),
      await failure(
        handlers.getMany(create(GetManyRequestSchema, { keys: [bytesOf("k")], session }), shortly()),
      ),
      await failure(
        handlers.batch(
          create(BatchRequestSchema, {
            writes: [{ kind: { case: "set", value: { key: bytesOf("k") } } }],
            session,
          }),
          shortly(),
        ),
      ),
    ];
    for (const { code, metadata } of refusals) {
      expect(code).toBe("SESSION_NOT_MET");
      expect(metadata["origin"]).toBe(ELSEWHERE);
    }
    expect((await get("k")).entry).toBeUndefined();
  });

  it("is refused in time also when garbage is collected meanwhile", async () => {
    // Nothing but the wait itself holds its timer: a signal of AbortSignal.timeout would be gone, and the wait endless.
    const session = ahead();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const collecting = setInterval(collect, 20);
    try {
      const waiting = failure(get("k", session, { ...CALL, deadlineMs: Date.now() + 600 }));
      expect(await Promise.race([waiting, sleep(20_000)])).toMatchObject({ code: "SESSION_NOT_MET" });
    } finally {
      clearInterval(collecting);
    }
  });

  it("ends its wait when the caller is gone", async () => {
    const gone = new AbortController();
    const waiting = failure(get("k", ahead(), { signal: gone.signal, deadlineMs: undefined }));
    gone.abort(new MeshkvError("CANCELLED", "gone"));
    expect((await waiting).code).toBe("CANCELLED");
  });

  it("is served as soon as its own write is durable here", async () => {
    const pending = set({ key: bytesOf("k"), value: bytesOf("new") });
    // The version is known before the disk has it; a session that names it has to wait for the disk.
    const { timestamp, start } = replica.standing.vector.position(replica.replicaId);
    const token = new SessionToken("default");
    token.saw({ origin: replica.replicaId, timestamp }, start);
    const session = Buffer.from(token.encode(replica.standing)).toString("base64url");
    const read = await get("k", session);
    expect(new TextDecoder().decode(read.entry?.value as Uint8Array)).toBe("new");
    await pending;
  });

  it("garbled tokens and such of other meshes are refused at once", async () => {
    const token = new SessionToken("other").encode(replica.standing);
    const others = Buffer.from(token).toString("base64url");
    for (const session of ["x", "====", "a".repeat(100_000), others, `${ahead()}A`]) {
      const { code, metadata } = await failure(Promise.resolve().then(() => get("k", session)));
      expect([code, metadata]).toEqual(["INVALID_ARGUMENT", { field: "session" }]);
    }
  });
});

describe("a concern that cannot be met", () => {
  it("leaves the write in place, and says its version and session", async () => {
    const concern = {
      kind: { case: "replicas" as const, value: 3 },
      timeout: { seconds: 0n, nanos: 50_000_000 },
    };
    const { code, message, metadata } = await failure(set({ concern }));
    expect([code, metadata["replicas"], metadata["members"]]).toEqual(["CONCERN_NOT_MET", "1", "1"]);
    expect(message).toContain("1 of 1 members");
    const read = await get("k", metadata["session"]);
    expect(read.entry?.version).toBe(metadata["version"]);
  });
});

describe("a request id", () => {
  it("makes a retry answer the first outcome, and write nothing", async () => {
    const first = await set({ requestId: "one", value: bytesOf("1"), ttl: { seconds: 60n, nanos: 0 } });
    await set({ value: bytesOf("2") });
    const again = await set({ requestId: "one", value: bytesOf("1"), ttl: { seconds: 60n, nanos: 0 } });
    expect([again.version, again.created]).toEqual([first.version, true]);
    expect((await get("k")).entry?.value).toEqual(bytesOf("2"));
  });

  it("joins the write that is still under way", async () => {
    const outcomes = await Promise.all([set({ requestId: "one" }), set({ requestId: "one" })]);
    expect(outcomes[0]?.version).toBe(outcomes[1]?.version);
  });

  it("says again what a condition allowed, though it would not hold now", async () => {
    const condition = { kind: { case: "ifAbsent" as const, value: true } };
    const first = await set({ requestId: "one", condition });
    expect((await set({ requestId: "one", condition })).version).toBe(first.version);
    expect((await failure(set({ requestId: "two", condition }))).code).toBe("CONDITION_FAILED");
    expect((await failure(set({ requestId: "two", condition }))).code).toBe("CONDITION_FAILED");
  });

  it("means one write: other content under it is a mistake", async () => {
    await set({ requestId: "one" });
    for (const other of [
      { value: bytesOf("other") },
      { key: bytesOf("other") },
      { ttl: { seconds: 5n, nanos: 0 } },
      { condition: { kind: { case: "ifPresent" as const, value: true } } },
    ]) {
      const { code, metadata } = await failure(set({ requestId: "one", ...other }));
      expect([code, metadata]).toEqual(["INVALID_ARGUMENT", { field: "request_id" }]);
    }
    expect((await failure(set({ requestId: "x".repeat(65) }))).code).toBe("TOO_LARGE");
  });

  it("asks again how many replicas hold the write, and fails again while they are too few", async () => {
    const concern = {
      kind: { case: "replicas" as const, value: 2 },
      timeout: { seconds: 0n, nanos: 20_000_000 },
    };
    const first = await failure(set({ requestId: "one", concern }));
    const again = await failure(set({ requestId: "one", concern }));
    expect(again.metadata["version"]).toBe(first.metadata["version"]);
    expect((await set({ requestId: "one" })).version).toBe(first.metadata["version"]);
  });

  it("is known after a restart, for batches and deletes too", async () => {
    await set({ key: bytesOf("gone") });
    const request = create(BatchRequestSchema, {
      writes: [
        { kind: { case: "set", value: { key: bytesOf("x"), value: bytesOf("1") } } },
        { kind: { case: "delete", value: { target: { case: "key", value: bytesOf("gone") } } } },
      ],
      requestId: "batch",
    });
    const removal = create(DeleteRequestSchema, {
      target: { case: "key", value: bytesOf("x") },
      requestId: "delete",
    });
    const batched = await handlers.batch(request, CALL);
    const deleted = await handlers.delete(removal, CALL);
    expect(deleted.deleted).toBe(1n);
    await replica.stop();
    await open();
    expect((await handlers.batch(request, CALL)).versions).toEqual(batched.versions);
    expect(await handlers.delete(removal, CALL)).toMatchObject({ deleted: 1n, version: deleted.version });
    expect((await failure(set({ requestId: "batch" }))).code).toBe("INVALID_ARGUMENT");
  });

  it("of a prefix delete answers what the first has deleted", async () => {
    for (const key of ["p/a", "p/b"]) await set({ key: bytesOf(key) });
    const request = create(DeleteRequestSchema, {
      target: { case: "prefix", value: bytesOf("p/") },
      requestId: "prefix",
    });
    const outcomes = await Promise.all([handlers.delete(request, CALL), handlers.delete(request, CALL)]);
    await set({ key: bytesOf("p/c") });
    outcomes.push(await handlers.delete(request, CALL));
    expect(outcomes.map(({ deleted }) => deleted)).toEqual([2n, 2n, 2n]);
    expect((await get("p/c")).entry).toBeDefined();
  });
});

describe("GetMany", () => {
  const many = (keys: readonly string[]) =>
    handlers.getMany(create(GetManyRequestSchema, { keys: keys.map(bytesOf) }), CALL);

  it("answers one reply for each key, in order, twice for one that is named twice", async () => {
    await set({ key: bytesOf("a"), value: bytesOf("1") });
    const { responses } = await many(["a", "absent", "a"]);
    expect(responses?.map(({ entry }) => entry?.value)).toEqual([bytesOf("1"), undefined, bytesOf("1")]);
  });

  it("refuses no keys, too many, and values beyond a reply, naming the first that does not fit", async () => {
    expect((await failure(many([]))).code).toBe("INVALID_ARGUMENT");
    const keys = Array.from({ length: 1001 }, (_, index) => `k${index}`);
    expect((await failure(many(keys))).metadata).toMatchObject({ field: "keys", limit: "1000" });
    expect((await failure(many(["a", ""]))).metadata).toMatchObject({ field: "keys[1]" });
    await set({ key: bytesOf("large"), value: new Uint8Array(1 << 20) });
    const { code, metadata } = await failure(many(["large", "large", "large"]));
    expect([code, metadata["field"]]).toEqual(["TOO_LARGE", "keys[1]"]);
    expect((await many(["large", "absent"])).responses).toHaveLength(2);
  });
});
