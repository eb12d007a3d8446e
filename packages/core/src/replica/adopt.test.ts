import { LoneReplica, replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import { positionAt } from "../position.ts";
import { type Adoption, makeRecord, rankOf, type RecordFields, type WriteRecord } from "../record.ts";
import { EPOCH_MS, timestampFromMs, type Timestamp } from "../timestamp.ts";

const [SELF, PEER, LOST] = [replicaId(1), replicaId(2), replicaId(3)];
const NOW_MS = EPOCH_MS + 1_000_000;
const KEY = "key" as KeyText;
const at = (ms: number): Timestamp => timestampFromMs(NOW_MS + ms);
const HORIZON = at(0);

function record(ms: number, changes: Partial<RecordFields> = {}): WriteRecord {
  const isDelete = changes.isDelete === true;
  return makeRecord({
    timestamp: at(ms),
    origin: LOST,
    key: KEY,
    isDelete,
    value: isDelete ? new Uint8Array() : new TextEncoder().encode(`${ms}`),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: undefined,
    ...changes,
  });
}

/** A record that another replica adopted. */
function adoptedBefore(
  ms: number,
  adoption: Partial<Adoption>,
  changes: Partial<RecordFields> = {},
): WriteRecord {
  const adopted = {
    timestamp: at(ms - 1),
    origin: replicaId(9),
    checksum: 77,
    rank: at(ms - 1),
    raised: false,
    ...adoption,
  };
  return record(ms, { adopted, ...changes });
}

/** A replica with a horizon at 0 ms that holds these records of the key. */
function holder(...held: readonly WriteRecord[]): LoneReplica {
  const lone = new LoneReplica(SELF, NOW_MS + 500_000, [PEER]);
  for (const one of held) lone.replica.accept(one.origin, [one], positionAt(one.timestamp), lone.nowMs);
  lone.commit();
  lone.replica.setHorizon(HORIZON, new Set([SELF, PEER]));
  lone.commit();
  return lone;
}

function adopt(lone: LoneReplica, offered: WriteRecord): WriteRecord | undefined {
  const took = lone.replica.adopt(offered, lone.nowMs);
  const records = lone.commit()?.records ?? [];
  expect(records.length > 0).toBe(took);
  return records.at(-1);
}

describe("adopting a record (M2)", () => {
  it("makes an own record that keeps the original's version, content, context and deadline", () => {
    const context = [{ origin: PEER, timestamp: at(1) }];
    const offered = record(5, { context, expiresAtMs: NOW_MS + 900_000, moreFollows: true });
    const lone = holder();
    const adopted = adopt(lone, offered);
    expect(adopted).toMatchObject({
      origin: SELF,
      key: KEY,
      isDelete: false,
      context,
      expiresAtMs: NOW_MS + 900_000,
      moreFollows: false,
      adopted: {
        timestamp: offered.timestamp,
        origin: LOST,
        checksum: offered.checksum,
        rank: offered.timestamp,
        raised: false,
      },
    });
    expect(adopted?.value).toEqual(offered.value);
    expect(adopted?.timestamp).toBeGreaterThan(offered.timestamp);
  });

  it("keeps the first original of a record that was adopted before, and judges anew whether it was raised", () => {
    const offered = adoptedBefore(8, { timestamp: at(3), rank: at(7), raised: true });
    expect(adopt(holder(), offered)?.adopted).toEqual({ ...offered.adopted, rank: at(3), raised: false });
    const early = adoptedBefore(8, { timestamp: at(-3), rank: at(7), raised: true });
    expect(adopt(holder(), early)?.adopted).toEqual({ ...early.adopted, rank: HORIZON, raised: true });
  });

  it.each<[string, Partial<RecordFields>]>([
    ["a delete", { isDelete: true }],
    ["a put with a deadline", { expiresAtMs: NOW_MS + 900_000 }],
  ])(
    "restates %s that wins here, in one batch before what it beats: it may be forgotten elsewhere",
    (_what, changes) => {
      const winner = record(3, { origin: PEER, ...changes });
      const lone = holder(winner);
      expect(lone.replica.adopt(record(-5), lone.nowMs)).toBe(true);
      const [restated, adopted, ...more] = lone.commit()?.records ?? [];
      expect(more).toEqual([]);
      expect(restated).toMatchObject({
        origin: SELF,
        moreFollows: true,
        isDelete: winner.isDelete,
        expiresAtMs: winner.expiresAtMs,
      });
      expect(restated?.adopted).toEqual({
        timestamp: at(3),
        origin: PEER,
        checksum: winner.checksum,
        rank: at(3),
        raised: false,
      });
      expect(adopted).toMatchObject({
        origin: SELF,
        moreFollows: false,
        adopted: { timestamp: at(-5), rank: at(-5) },
      });
      expect(lone.replica.entry(KEY)?.winner.adopted?.timestamp).toBe(at(3));
    },
  );

  it.each<[string, WriteRecord[], WriteRecord, "raised" | "as it was"]>([
    ["no entry, offered below the horizon", [], record(-5), "raised"],
    ["no entry, offered above the horizon", [], record(5), "as it was"],
    ["no entry, a delete", [], record(-5, { isDelete: true }), "as it was"],
    [
      "an older tombstone below the horizon",
      [record(-9, { origin: PEER, isDelete: true })],
      record(-5),
      "raised",
    ],
    [
      "a newer tombstone below the horizon",
      [record(-2, { origin: PEER, isDelete: true })],
      record(-5),
      "as it was",
    ],
    ["a tombstone above the horizon", [record(3, { origin: PEER, isDelete: true })], record(-5), "as it was"],
    ["an older put below the horizon", [record(-9, { origin: PEER })], record(-5), "as it was"],
    ["a newer put below the horizon", [record(-2, { origin: PEER })], record(-5), "as it was"],
    ["a put above the horizon", [record(3, { origin: PEER })], record(-5), "as it was"],
    [
      "an older raised record at or below the horizon",
      [adoptedBefore(-3, { timestamp: at(-20), rank: at(-4), raised: true }, { origin: PEER })],
      record(-5),
      "raised",
    ],
    [
      "an originally newer raised record",
      [adoptedBefore(-1, { timestamp: at(-3), rank: at(-2), raised: true }, { origin: PEER })],
      record(-5),
      "as it was",
    ],
    [
      "a raised record above the horizon",
      [adoptedBefore(9, { timestamp: at(-20), rank: at(8), raised: true }, { origin: PEER })],
      record(-5),
      "as it was",
    ],
    [
      "an older put whose deadline is at or below the horizon",
      [record(-9, { origin: PEER, expiresAtMs: NOW_MS - 7 })],
      record(-5),
      "raised",
    ],
    [
      "an older put whose deadline is above the horizon",
      [record(-9, { origin: PEER, expiresAtMs: NOW_MS + 60_000 })],
      record(-5),
      "as it was",
    ],
  ])("with %s: %#", (_what, held, offered, how) => {
    const adopted = adopt(holder(...held), offered);
    expect(adopted?.adopted).toMatchObject(
      how === "raised" ? { raised: true, rank: HORIZON } : { raised: false, rank: offered.timestamp },
    );
  });

  it("never lowers a rank to the horizon", () => {
    expect(adopt(holder(), record(6))?.adopted).toMatchObject({ rank: at(6), raised: false });
  });

  it("puts a returning write above all that is forgotten, and below all that is not", () => {
    const lone = holder();
    adopt(lone, record(-5));
    const entry = lone.replica.entry(KEY);
    expect(entry && rankOf(entry.winner)).toBe(HORIZON);
    const above = holder(record(1, { origin: PEER }));
    adopt(above, record(-5));
    expect(above.replica.entry(KEY)?.winner.origin).toBe(PEER);
    expect(above.replica.entry(KEY)?.siblings).toHaveLength(1);
  });

  it("takes a write once, under its own version or another's adoption of it", () => {
    const offered = record(5);
    const lone = holder();
    expect(adopt(lone, offered)).toBeDefined();
    expect(adopt(lone, offered)).toBeUndefined();
    const other = makeRecord({
      ...offered,
      timestamp: at(9),
      origin: PEER,
      adopted: {
        timestamp: offered.timestamp,
        origin: LOST,
        checksum: offered.checksum,
        rank: offered.timestamp,
        raised: false,
      },
    });
    expect(adopt(lone, other)).toBeUndefined();
    expect(adopt(holder(offered), other)).toBeUndefined();
  });

  it("tells two records of one version apart, written by two copies of a directory", () => {
    const lone = holder();
    expect(adopt(lone, record(5))).toBeDefined();
    expect(adopt(lone, record(5, { value: Uint8Array.of(1) }))).toBeDefined();
    expect(lone.replica.entry(KEY)?.siblings).toHaveLength(1);
  });

  it("leaves alone what a write here has seen", () => {
    const offered = record(-5);
    const seen = record(4, { origin: PEER, context: [{ origin: LOST, timestamp: offered.timestamp }] });
    expect(adopt(holder(seen), offered)).toBeUndefined();
  });

  it("states a write again that was overtaken by one which its author had seen", () => {
    const [older, later] = [record(-100), record(-50, { context: [{ origin: LOST, timestamp: at(-100) }] })];
    const [near, far] = [holder(), holder()];
    far.replica.setHorizon(at(5), new Set([SELF, PEER]));
    far.commit();
    far.nowMs += 1000;
    const [raisedLater, raisedOlder] = [adopt(near, later), adopt(far, older)];
    if (raisedLater === undefined || raisedOlder === undefined) throw new Error("both are adopted");
    const reader = new LoneReplica(PEER, NOW_MS + 500_000, [SELF]);
    reader.replica.accept(SELF, [raisedLater, raisedOlder], positionAt(raisedOlder.timestamp), NOW_MS);
    const entry = reader.replica.entry(KEY);
    expect(entry?.winner.value).toEqual(later.value);
    expect(entry?.winner.adopted).toMatchObject({ raised: true, rank: at(5) });
    expect(entry?.siblings).toEqual([]);
  });
});
