import { formatVersion, MeshkvError, PIPELINE_OPERATIONS_MAX, type ReplicaId } from "@meshkv/core";
import {
  create,
  fromBinary,
  type GetResponse,
  type MessageInitShape,
  type OperationResult,
  type OperationSchema,
  PipelineRequestSchema,
  PipelineResponseSchema,
  type PipelineRequest,
  type PipelineResponse,
  WriteConcern_Level,
} from "@meshkv/protocol";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startReplica } from "../../test/real-replica.ts";
import type { ServedReplica } from "../runtime/served-replica.ts";
import type { CallInfo } from "./call-info.ts";
import { KeyValueHandlers } from "./key-value-handlers.ts";

type OperationInit = MessageInitShape<typeof OperationSchema>;

const CALL: CallInfo = { signal: new AbortController().signal, deadlineMs: undefined };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && new TextDecoder().decode(bytes);

let replica: ServedReplica;
let handlers: KeyValueHandlers;

beforeEach(async () => {
  replica = await startReplica();
  handlers = new KeyValueHandlers({
    replica,
    valueBytesMax: 1 << 20,
    defaultConcern: { kind: "replicas", count: 1 },
  });
});

afterEach(() => replica.stop());

const get = (id: number, key: string): OperationInit => ({
  id,
  kind: { case: "get", value: { key: bytesOf(key) } },
});
const set = (id: number, key: string, value: string, more: object = {}): OperationInit => ({
  id,
  kind: { case: "set", value: { key: bytesOf(key), value: bytesOf(value), ...more } },
});
const del = (id: number, key: string): OperationInit => ({
  id,
  kind: { case: "delete", value: { target: { case: "key", value: bytesOf(key) } } },
});
const list = (id: number, prefix = ""): OperationInit => ({
  id,
  kind: { case: "list", value: { prefix: bytesOf(prefix) } },
});

async function* requestsOf(messages: readonly (readonly OperationInit[])[]): AsyncGenerator<PipelineRequest> {
  for (const operations of messages) yield create(PipelineRequestSchema, { operations: [...operations] });
}

const replyOf = (bytes: Uint8Array): PipelineResponse => fromBinary(PipelineResponseSchema, bytes);

/** Sends all, says that nothing more comes, and reads to the end. */
async function run(...messages: OperationInit[][]): Promise<Map<number, OperationResult>> {
  const results = new Map<number, OperationResult>();
  for await (const bytes of handlers.pipeline(requestsOf(messages), CALL)) {
    const reply = replyOf(bytes);
    for (const result of reply.results) {
      expect(results.has(result.id), `${result.id} is answered once`).toBe(false);
      results.set(result.id, result);
    }
  }
  return results;
}

function valueOf(result: OperationResult | undefined): string | undefined {
  if (result?.kind.case !== "get") throw new Error(`no read: ${result?.kind.case}`);
  const reply: GetResponse = result.kind.value;
  return textOf(reply.entry?.value);
}

/** What a result tells its caller, in short. */
function shownBy(result: OperationResult | undefined): unknown {
  const { kind } = result ?? { kind: { case: undefined } };
  switch (kind.case) {
    case "get":
      return textOf(kind.value.entry?.value);
    case "delete":
      return kind.value.deleted;
    case "error":
      return kind.value.code;
    case "list":
      return kind.value.entries.map(({ key, value }) => `${textOf(key)}=${textOf(value)}`);
    default:
      throw new Error(`answered with ${kind.case}`);
  }
}

function errorOf(result: OperationResult | undefined): string {
  return result?.kind.case === "error" ? result.kind.value.code : `none, but ${result?.kind.case}`;
}

describe("a pipeline", () => {
  it("answers every operation, and ends when the caller has said all", async () => {
    const results = await run(
      [set(1, "a", "1"), set(2, "b", "2"), get(3, "absent")],
      [del(4, "a"), list(5), { id: 6, kind: { case: "batch", value: { writes: [] } } }],
    );
    expect([...results.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(valueOf(results.get(3))).toBeUndefined();
    expect(results.get(4)?.kind).toMatchObject({ case: "delete", value: { deleted: 1n, replicas: 1 } });
    expect(errorOf(results.get(6))).toBe("INVALID_ARGUMENT");
    expect(await run()).toEqual(new Map());
  });

  it("makes one commit group out of the writes of one message", async () => {
    const before = replica.standing.durableVector;
    const groups = new Set([before]);
    const watching = new AbortController();
    const watched = replica
      .until(() => {
        groups.add(replica.standing.durableVector);
        return false;
      }, watching.signal)
      .catch(() => undefined);
    await run(Array.from({ length: 500 }, (_, index) => set(index, `k/${index}`, "v")));
    watching.abort();
    await watched;
    // The group of the writes, and whatever the replica has to say by itself meanwhile.
    expect(groups.size).toBeLessThan(10);
  });

  it("shows a reader what the same stream wrote before to that key", async () => {
    const operations: OperationInit[] = [];
    for (let round = 0; round < 50; round += 1) {
      operations.push(set(round * 4, "k", `${round}`), get(round * 4 + 1, "k"));
      operations.push(del(round * 4 + 2, "k"), get(round * 4 + 3, "k"));
    }
    const results = await run(operations.slice(0, 70), operations.slice(70));
    for (let round = 0; round < 50; round += 1) {
      expect(valueOf(results.get(round * 4 + 1))).toBe(`${round}`);
      expect(valueOf(results.get(round * 4 + 3))).toBeUndefined();
    }
  });

  it("keeps the order of each key, whatever is mixed, as if all had been single calls", async () => {
    const keys = fc.constantFrom("a", "b", "c");
    const operation = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), key: keys }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("get" as const), key: keys }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("delete", "absent", "batch"), key: keys }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("list", "prefix"), key: keys }) },
    );
    let run_ = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 5 }),
        async (messages) => {
          run_ += 1;
          const prefix = `${run_}/`;
          const model = new Map<string, string>();
          const expected = new Map<number, unknown>();
          let id = 0;
          const sent = messages.map((message) =>
            message.map(({ kind, key }): OperationInit => {
              id += 1;
              const name = prefix + key;
              const value = `${id}`;
              switch (kind) {
                case "set":
                  model.set(name, value);
                  return set(id, name, value);
                case "absent":
                  if (model.has(name)) expected.set(id, "CONDITION_FAILED");
                  else model.set(name, value);
                  return set(id, name, value, { condition: { kind: { case: "ifAbsent", value: true } } });
                case "delete":
                  expected.set(id, model.delete(name) ? 1n : 0n);
                  return del(id, name);
                case "batch": {
                  model.set(name, value).delete(`${prefix}b${key}`);
                  const put = { case: "set" as const, value: { key: bytesOf(name), value: bytesOf(value) } };
                  return { id, kind: { case: "batch", value: { writes: [{ kind: put }] } } };
                }
                case "list":
                  expected.set(
                    id,
                    [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`),
                  );
                  return list(id, prefix);
                case "prefix": {
                  expected.set(id, BigInt(model.size));
                  model.clear();
                  const target = { case: "prefix" as const, value: bytesOf(prefix) };
                  return { id, kind: { case: "delete", value: { target } } };
                }
                default:
                  expected.set(id, model.get(name));
                  return get(id, name);
              }
            }),
          );
          const results = await run(...sent);
          expect(results.size).toBe(id);
          for (const [number, wanted] of expected) {
            expect(shownBy(results.get(number))).toEqual(wanted);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("goes on after a failure, which names its operation and says what the single call would", async () => {
    const results = await run([
      set(1, "a", "1"),
      set(2, "a", "2", { condition: { kind: { case: "ifAbsent", value: true } } }),
      { id: 3, kind: { case: "get", value: { key: new Uint8Array(0) } } },
      { id: 4 },
      set(5, "b", "x".repeat((1 << 20) + 1)),
      set(6, "c", "3", { session: "garbled" }),
      get(7, "a"),
    ]);
    expect([2, 3, 4, 5, 6].map((id) => errorOf(results.get(id)))).toEqual([
      "CONDITION_FAILED",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "TOO_LARGE",
      "INVALID_ARGUMENT",
    ]);
    const error = results.get(2)?.kind;
    const first = results.get(1)?.kind;
    expect(error?.case === "error" && error.value).toMatchObject({
      status: 9,
      metadata: { version: first?.case === "set" ? first.value.version : "" },
    });
    expect(valueOf(results.get(7))).toBe("1");
  });

  it("lets what waits for its concern or session hold up nobody but its key", async () => {
    // There is no other replica: the concern is never met.
    const concernFor = (seconds: bigint, nanos: number) => ({
      concern: { kind: { case: "replicas" as const, value: 2 }, timeout: { seconds, nanos } },
    });
    const caller = new AbortController();
    const operations = [
      set(1, "slow", "1", concernFor(600n, 0)),
      get(2, "slow"),
      set(3, "fast", "1"),
      get(4, "fast"),
    ];
    const call: CallInfo = { signal: caller.signal, deadlineMs: undefined };
    const replies = handlers.pipeline(requestsOf([operations]), call)[Symbol.asyncIterator]();
    const answered: number[] = [];
    while (answered.length < 3) {
      const { value } = (await replies.next()) as IteratorYieldResult<Buffer>;
      answered.push(...replyOf(value).results.map(({ id }) => id));
    }
    expect(new Set(answered)).toEqual(new Set([2, 3, 4]));
    caller.abort(new MeshkvError("CANCELLED", "enough"));
    await Promise.resolve(replies.return?.()).catch(() => undefined);
    const brief = await run([set(1, "slow", "2", concernFor(0n, 1_000_000)), get(2, "slow")]);
    expect([errorOf(brief.get(1)), valueOf(brief.get(2))]).toEqual(["CONCERN_NOT_MET", "2"]);
  });

  it("acknowledges relaxed writes as such, and retries of one request as one write", async () => {
    // The first durable group sets a mark ahead of the clock, below which versions need not be durable to be told.
    await run([set(0, "first", "1")]);
    const relaxed = { kind: { case: "level" as const, value: WriteConcern_Level.RELAXED } };
    const results = await run(
      [set(1, "r", "1", { concern: relaxed }), set(2, "q", "1", { requestId: "one" })],
      [set(3, "q", "1", { requestId: "one" }), set(4, "q", "2", { requestId: "one" })],
    );
    expect(results.get(1)?.kind).toMatchObject({ case: "set", value: { replicas: 0 } });
    const [second, third] = [2, 3].map((id) => results.get(id)?.kind);
    expect(second?.case === "set" && second.value.version).toBe(third?.case === "set" && third.value.version);
    expect(errorOf(results.get(4))).toBe("INVALID_ARGUMENT");
  });
});

describe("a caller that takes nothing", () => {
  it("shows a list what was written before it, although a retry of an older write came between", async () => {
    const older = { requestId: "one" };
    await run([set(1, "older", "1", older)]);
    const results = await run([set(2, "k", "2"), set(3, "older", "1", older), list(4)]);
    expect(shownBy(results.get(4))).toEqual(["k=2", "older=1"]);
  });

  it("is read no further than what may wait", async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<PipelineRequest> {
      for (;;) {
        yield create(PipelineRequestSchema, {
          operations: Array.from({ length: 100 }, () => get((sent += 1), "k")),
        });
      }
    }
    const replies = handlers.pipeline(endless(), CALL)[Symbol.asyncIterator]();
    // As long as anything goes on, it goes on within turns of the event loop.
    let last = -1;
    for (let turns = 0; turns < 10_000 && (sent !== last || turns < 100); turns += 1) {
      last = sent;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThanOrEqual(PIPELINE_OPERATIONS_MAX + 200);
    expect(sent).toBeGreaterThanOrEqual(PIPELINE_OPERATIONS_MAX);
    const { value } = await replies.next();
    expect(replyOf(value).results.length).toBeGreaterThan(0);
    // Once taken, the rest comes.
    for (let taken = 0; taken < 3; taken += 1) await replies.next();
    expect(sent).toBeGreaterThan(PIPELINE_OPERATIONS_MAX + 200);
  });

  it("is read no further than the bytes that may wait, large values among them", async () => {
    await handlers.set(
      create(PipelineRequestSchema, { operations: [set(1, "large", "x".repeat(1 << 20))] }).operations[0]
        ?.kind.value as never,
      CALL,
    );
    const replies = handlers
      .pipeline(requestsOf([Array.from({ length: 40 }, (_, id) => get(id, "large"))]), CALL)
      [Symbol.asyncIterator]();
    let most = 0;
    for (let next = await replies.next(); next.done !== true; next = await replies.next()) {
      most = Math.max(most, replyOf(next.value).results.length);
    }
    expect(most, "a message holds one large value").toBe(1);
  });
});

describe("the versions of one stream", () => {
  it("rise per key in the order in which they were sent", async () => {
    const results = await run(
      Array.from({ length: 100 }, (_, id) => set(id, "k", `${id}`)),
      Array.from({ length: 100 }, (_, id) => set(100 + id, "k", `${id}`)),
    );
    const versions = Array.from({ length: 200 }, (_, id) => {
      const kind = results.get(id)?.kind;
      return kind?.case === "set" ? kind.value.version : "";
    });
    expect(versions).toEqual([...versions].sort());
    expect(versions[0]).toBe(
      formatVersion({
        timestamp: Number.parseInt(versions[0]?.slice(0, 16) ?? "", 16),
        origin: replica.replicaId as ReplicaId,
      }),
    );
  });
});
