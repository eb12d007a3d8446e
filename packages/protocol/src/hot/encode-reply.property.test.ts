import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  formatVersion,
  idFromWords,
  type KeyText,
  keyTextFromBytes,
  makeRecord,
  type ReplicaId,
  timestampFromMs,
  TIMESTAMP_MAX,
  type WriteRecord,
} from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordToMessage } from "../entry-message.ts";
import {
  GetManyResponseSchema,
  GetResponseSchema,
  ListResponseSchema,
  OperationResultSchema,
  PipelineResponseSchema,
  SetResponseSchema,
} from "../gen/meshkv/v1/meshkv_pb.ts";
import {
  encodeGetManyResponse,
  encodeGetResponse,
  encodeSetResponse,
  type ReadResult,
  type SetResult,
} from "./encode-reply.ts";
import { ListReply } from "./list-reply.ts";
import { PipelineReplies } from "./pipeline-replies.ts";

const word = fc.nat(0xffff_ffff);
const id = fc.tuple(word, word).map(([high, low]) => idFromWords(high, low) as ReplicaId);
const timestamp = fc.oneof(
  fc.nat(5_000_000_000_000).map((ms) => timestampFromMs(1_700_000_000_000 + ms)),
  fc.integer({ min: 1, max: TIMESTAMP_MAX }),
);
const key = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes): KeyText => keyTextFromBytes(bytes));
const record: fc.Arbitrary<WriteRecord> = fc
  .record({
    timestamp,
    origin: id,
    key,
    isDelete: fc.boolean(),
    value: fc.uint8Array({ maxLength: 300 }),
    expiresAtMs: fc.oneof(
      fc.constant(0),
      fc.nat(3000),
      fc.integer({ min: 1_700_000_000_000, max: 9_000_000_000_000 }),
    ),
    adopted: fc.option(
      fc.record({ timestamp, origin: id, checksum: word, rank: timestamp, raised: fc.boolean() }),
      {
        nil: undefined,
      },
    ),
  })
  .map((fields) =>
    makeRecord({
      ...fields,
      context: [],
      moreFollows: false,
      ...(fields.isDelete ? { value: new Uint8Array(0), expiresAtMs: 0 } : {}),
    }),
  );
const session = fc.string({ maxLength: 200, unit: "grapheme-ascii" });
const read: fc.Arbitrary<ReadResult> = fc.record({
  winner: fc.option(record, { nil: undefined }),
  conflictCount: fc.oneof(fc.constant(0), fc.nat(100_000)),
  conflicts: fc.array(record, { maxLength: 3 }),
  session,
});
const written: fc.Arbitrary<SetResult> = fc.record({
  version: fc.record({ timestamp, origin: id }),
  session,
  replicas: fc.oneof(fc.nat(3), word),
  created: fc.boolean(),
});

function readInit({ winner, conflictCount, conflicts, session: token }: ReadResult) {
  return {
    ...(winner === undefined ? {} : { entry: { ...recordToMessage(winner), conflictCount } }),
    conflicts: conflicts.map((loser) => recordToMessage(loser)),
    session: token,
  };
}

function setInit({ version, ...rest }: SetResult) {
  return { ...rest, version: formatVersion(version) };
}

describe("replies encoded by hand", () => {
  it("are byte for byte what the generated code makes of a read", () => {
    fc.assert(
      fc.property(read, (result) => {
        const generated = toBinary(GetResponseSchema, create(GetResponseSchema, readInit(result)));
        expect(encodeGetResponse(result).equals(generated)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("are byte for byte what the generated code makes of a read of several keys", () => {
    fc.assert(
      fc.property(fc.array(read, { maxLength: 5 }), session, (results, token) => {
        const init = { responses: results.map((each) => readInit(each)), session: token };
        const generated = toBinary(GetManyResponseSchema, create(GetManyResponseSchema, init));
        expect(encodeGetManyResponse({ results, session: token }).equals(generated)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("are byte for byte what the generated code makes of a write", () => {
    fc.assert(
      fc.property(written, (result) => {
        const generated = toBinary(SetResponseSchema, create(SetResponseSchema, setInit(result)));
        expect(encodeSetResponse(result).equals(generated)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a reply to a list that is encoded by hand", () => {
  it("is byte for byte what the generated code makes of it", () => {
    const entry = fc.tuple(record, fc.oneof(fc.constant(0), fc.nat(100_000)));
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 100 }),
        fc.boolean(),
        fc.tuple(session, session),
        (entries, keysOnly, [nextPageToken, token]) => {
          const reply = new ListReply(keysOnly);
          for (const [winner, conflictCount] of entries) reply.add(winner, conflictCount);
          const response = create(ListResponseSchema, {
            entries: entries.map(([winner, conflictCount]) => ({
              ...recordToMessage(winner, { keysOnly }),
              conflictCount,
            })),
            nextPageToken,
            session: token,
          });
          expect(reply.finish(nextPageToken, token).equals(toBinary(ListResponseSchema, response))).toBe(
            true,
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

const result = fc.oneof(
  read.map((value) => ({ kind: "read" as const, value })),
  written.map((value) => ({ kind: "set" as const, value })),
  fc.string().map((message) => ({ kind: "error" as const, value: { status: 3, message } })),
);

describe("replies of a pipeline", () => {
  it("are all that was added, in order, in messages that are not larger than asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.nat(200), word), result, fc.boolean()), { maxLength: 12 }),
        fc.integer({ min: 1, max: 2000 }),
        (added, messageBytes) => {
          const replies = new PipelineReplies(messageBytes);
          const expected = added.map(([number, { kind, value }]) => {
            const oneof =
              kind === "read"
                ? { case: "get" as const, value: readInit(value) }
                : kind === "set"
                  ? { case: "set" as const, value: setInit(value) }
                  : { case: "error" as const, value };
            return create(OperationResultSchema, { id: number, kind: oneof });
          });
          const taken: Buffer[] = [];
          let [bytes, count] = [0, 0];
          const take = (): void => {
            for (let reply = replies.take(); reply !== undefined; reply = replies.take()) {
              taken.push(reply.message);
              count += reply.count;
              const { results } = fromBinary(PipelineResponseSchema, reply.message);
              expect(results).toHaveLength(reply.count);
              expect(results.length === 1 || reply.message.length <= messageBytes).toBe(true);
            }
            expect(replies.isEmpty).toBe(true);
          };
          for (const [index, [number, { kind, value }, isTaken]] of added.entries()) {
            if (kind === "read") bytes += replies.addRead(number, value);
            else if (kind === "set") bytes += replies.addSet(number, value);
            else bytes += replies.add(expected[index] ?? {});
            expect(replies.isEmpty).toBe(false);
            if (isTaken) take();
          }
          take();
          expect(count).toBe(added.length);
          const whole = Buffer.concat(taken);
          expect(whole.length, "what was added is what was counted").toBe(bytes);
          const response = create(PipelineResponseSchema, { results: expected });
          expect(whole.equals(toBinary(PipelineResponseSchema, response))).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
