import { replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { Entry } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import { positionAt } from "../position.ts";
import { makeRecord, type RecordFields, type WriteRecord } from "../record.ts";
import { VersionVector } from "../version-vector.ts";
import { byKey, settledBy } from "./settled.ts";

const [HERE, THERE, OTHER] = [replicaId(1), replicaId(2), replicaId(3)];
const NO_STRAYS = new Map<never, never>();

function write(timestamp: number, changes: Partial<RecordFields> = {}): WriteRecord {
  return makeRecord({
    timestamp,
    origin: THERE,
    key: "key" as KeyText,
    isDelete: false,
    value: new Uint8Array(),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: undefined,
    ...changes,
  });
}

/** The write as it was adopted here. */
function adopted({ timestamp, origin, checksum }: WriteRecord, at: number): WriteRecord {
  const adoption = { timestamp, origin, checksum, rank: timestamp, raised: false };
  return write(at, { origin: HERE, adopted: adoption });
}

function entryOf(winner: WriteRecord, ...siblings: readonly WriteRecord[]): Entry {
  return { winner, siblings };
}

const FIRST = write(10);
const THIRD = write(30, { origin: OTHER });
const SEEN = new VersionVector([
  [THERE, positionAt(20)],
  [OTHER, positionAt(40)],
]);

describe("an offer tells to be settled", () => {
  it.each<[string, WriteRecord]>([
    ["under the name that it has there", FIRST],
    ["adopted here", adopted(FIRST, 50)],
  ])("a put that the replica had, and has no more, %s", (_how, held) => {
    expect(settledBy(entryOf(held), [THIRD], SEEN, NO_STRAYS)).toEqual([held]);
    const own = write(60, { origin: HERE });
    expect(settledBy(entryOf(own, held), [THIRD], SEEN, NO_STRAYS)).toEqual([held]);
  });

  it("nothing that it offers, or that what it offers has seen", () => {
    const held = adopted(FIRST, 50);
    expect(settledBy(entryOf(held), [THIRD, FIRST], SEEN, NO_STRAYS)).toEqual([]);
    const later = write(30, { origin: OTHER, context: [{ origin: THERE, timestamp: 10 }] });
    expect(settledBy(entryOf(held), [later], SEEN, NO_STRAYS)).toEqual([]);
  });

  it("nothing that it never had, no delete, and nothing of another branch", () => {
    expect(settledBy(entryOf(adopted(write(21), 50)), [THIRD], SEEN, NO_STRAYS)).toEqual([]);
    expect(settledBy(entryOf(write(10, { isDelete: true })), [THIRD], SEEN, NO_STRAYS)).toEqual([]);
    const strays = new Map([[THERE, { position: positionAt(20), common: 9 }]]);
    expect(settledBy(entryOf(adopted(FIRST, 50)), [THIRD], SEEN, strays)).toEqual([]);
  });

  it("nothing where the replica cannot say what it had", () => {
    expect(settledBy(entryOf(adopted(FIRST, 50)), [THIRD], undefined, NO_STRAYS)).toEqual([]);
    expect(settledBy(undefined, [THIRD], SEEN, NO_STRAYS)).toEqual([]);
  });
});

describe("the records of an offer", () => {
  it("are taken key by key", () => {
    const other = write(5, { key: "other" as KeyText });
    expect([...byKey([FIRST, THIRD, other])]).toEqual([[FIRST, THIRD], [other]]);
    expect([...byKey([])]).toEqual([]);
  });
});
