import {
  accept,
  bytes,
  fresh,
  KEY,
  NOW_MS,
  PEER,
  peerPut,
  SELF,
  valueOf,
} from "../../test/lone-with-peer.ts";
import { LoneReplica, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { InvariantError } from "../invariant.ts";
import { type KeyText, UNKNOWN_START } from "../ids.ts";
import { positionAt } from "../position.ts";
import { makeRecord } from "../record.ts";
import { timestampFromMs, type Timestamp } from "../timestamp.ts";

describe("writing", () => {
  it("gives growing versions, whatever the wall clock does (W1)", () => {
    const lone = fresh();
    const written: Timestamp[] = [];
    for (const ms of [0, 0, 5, -100_000, 0, 7]) {
      lone.nowMs = NOW_MS + ms;
      written.push(lone.write("key", `${ms}`).timestamp);
    }
    expect(written).toEqual([...new Set(written)].toSorted((a, b) => a - b));
    expect(valueOf(lone)).toBe("7");
  });

  it("goes above everything observed: records, claims, ticks, and what it replaces (W1)", () => {
    const lone = fresh();
    accept(lone, peerPut(30_000));
    expect(lone.write("other", "1").timestamp).toBeGreaterThan(timestampFromMs(NOW_MS + 30_000));
    lone.replica.accept(PEER, [], positionAt(timestampFromMs(NOW_MS + 40_000)), NOW_MS);
    expect(lone.write("key", "2").timestamp).toBeGreaterThan(timestampFromMs(NOW_MS + 40_000));
    expect(valueOf(lone)).toBe("2");
  });

  it("writes a tombstone for a key that is unknown here (W3)", () => {
    const lone = fresh();
    const record = lone.write("key", undefined);
    expect(record).toMatchObject({ isDelete: true, expiresAtMs: 0, context: [] });
    expect(lone.commit()?.records).toEqual([record]);
    expect(lone.tables.entry(KEY)?.winner.isDelete).toBe(true);
  });

  it("drops the deadline of a delete", () => {
    expect(fresh().write("key", undefined, NOW_MS + 5).expiresAtMs).toBe(0);
  });

  it("marks all records of a batch but its last, and lets them see each other (W6)", () => {
    const lone = fresh();
    const batch = ["a", "b", "a"].map((key) => ({ key: key as KeyText, value: bytes(key), expiresAtMs: 0 }));
    const records = lone.replica.write(batch, NOW_MS);
    expect(records.map(({ moreFollows }) => moreFollows)).toEqual([true, true, false]);
    expect(records[2]?.context).toEqual([{ origin: SELF, timestamp: records[0]?.timestamp }]);
    expect(lone.replica.entry("a" as KeyText)?.siblings).toEqual([]);
  });

  it("settles the conflicts that the writer had seen (X2)", () => {
    const lone = fresh();
    lone.write("key", "mine");
    accept(lone, peerPut(1));
    expect(lone.replica.entry(KEY)?.siblings).toHaveLength(1);
    lone.commit();
    lone.write("key", "both seen");
    const group = lone.commit();
    expect(group?.settled.map(({ record }) => record.origin)).toEqual([SELF]);
    expect(lone.tables.entry(KEY)?.siblings).toEqual([]);
  });

  it("needs a start", () => {
    const lone = fresh();
    const { identity } = lone.replica;
    lone.replica.setIdentity({ ...identity, starts: [] });
    expect(() => lone.write("key", "1")).toThrow(InvariantError);
  });
});

describe("commit groups", () => {
  it("keep pending and durable state apart (W2, S7)", () => {
    const lone = fresh();
    const { replica, tables } = lone;
    const before = replica.durableVector.get(SELF);
    const { timestamp } = lone.write("key", "1");
    expect(replica.entry(KEY)?.winner.timestamp).toBe(timestamp);
    expect(replica.vector.get(SELF)).toBe(timestamp);
    expect([replica.durableVector.get(SELF), tables.entry(KEY)]).toEqual([before, undefined]);
    const group = replica.takeGroup();
    const later = lone.write("key", "2");
    expect(replica.takeGroup()).toBeUndefined();
    expect(replica.isCommitting).toBe(true);
    expect(replica.durableVector.get(SELF)).toBe(before);
    if (group !== undefined) tables.apply(group);
    replica.groupDurable();
    expect(replica.durableVector.get(SELF)).toBe(timestamp);
    expect(replica.entry(KEY)?.winner.timestamp).toBe(later.timestamp);
    lone.commit();
    expect(replica.durableVector.get(SELF)).toBe(later.timestamp);
  });

  it("carry numbers that grow by one, and nothing when nothing changed", () => {
    const lone = fresh();
    const number = lone.replica.groupNumber;
    expect(lone.replica.takeGroup()).toBeUndefined();
    lone.write("key", "1");
    expect(lone.replica.groupNumber).toBe(number);
    expect(lone.commit()?.number).toBe(number);
    expect(lone.replica.groupNumber).toBe(number + 1);
    expect(lone.commit()).toBeUndefined();
  });

  it("keep digest and count of keys in step with the entries", () => {
    const lone = fresh();
    lone.write("a", "1");
    lone.write("b", "2");
    lone.write("c", "3", NOW_MS + 5000);
    lone.write("b", undefined);
    lone.commit();
    expect(lone.replica.liveKeys).toBe(2);
    const twin = fresh();
    const { winner } = lone.tables.entry("a" as KeyText) ?? {};
    if (winner !== undefined)
      twin.replica.accept(
        winner.origin === SELF ? PEER : SELF,
        [makeRecord({ ...winner })],
        positionAt(winner.timestamp),
        NOW_MS,
      );
    twin.commit();
    expect(twin.replica.durableDigest.encode()).toEqual(lone.replica.durableDigest.encode());
  });

  it("know nothing after a crash of what was not durable", () => {
    const lone = fresh();
    lone.write("kept", "1");
    lone.commit();
    lone.write("lost", "2");
    lone.restart();
    expect([valueOf(lone, "kept"), valueOf(lone, "lost")]).toEqual(["1", undefined]);
  });
});

describe("the clock's mark", () => {
  it("is durable ahead of its use, so that no version is issued twice (W4, C3)", () => {
    const lone = fresh();
    const acknowledged: Timestamp[] = [];
    const setBack: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      lone.nowMs = NOW_MS + ((round * 7919) % 10_000) - 5000;
      // Up to the mark a write may be acknowledged, and told to its client, before it is durable.
      const { timestamp } = lone.write("key", `${round}`);
      if (timestamp <= lone.replica.durableClockMark) acknowledged.push(timestamp);
      if (round % 3 === 0) lone.commit();
      if (round % 5 === 4) {
        const mark = lone.replica.durableClockMark;
        lone.restart();
        setBack.push(Math.max(0, mark - lone.replica.clock.last));
      }
    }
    expect(setBack).toEqual(Array.from({ length: 10 }, () => 0));
    expect(acknowledged.length).toBeGreaterThan(20);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
  });

  it("follows a clock that has observed far more than the wall", () => {
    const lone = fresh();
    accept(lone, peerPut(50_000));
    lone.commit();
    const { timestamp } = lone.write("key", "1");
    expect(lone.replica.durableClockMark).toBeGreaterThanOrEqual(timestamp);
  });
});

describe("starts", () => {
  it("are remembered with what each recovered, and their positions name them (M5)", () => {
    const lone = fresh();
    const first = lone.write("key", "1").timestamp;
    lone.commit();
    lone.restart();
    const second = lone.write("key", "2").timestamp;
    const { replica } = lone;
    expect(replica.identity.starts.map(({ id, recovered }) => [id, recovered])).toEqual([
      [startId(1), 0],
      [startId(2), first],
    ]);
    expect(replica.ownPosition(first)).toEqual({ timestamp: first, start: startId(1), recovered: 0 });
    expect(replica.ownPosition(second)).toEqual({
      timestamp: second,
      start: startId(2),
      recovered: first,
      earlier: [{ id: startId(1), recovered: 0 }],
    });
    expect(replica.vector.position(SELF)).toEqual(replica.ownPosition(second));
    expect(replica.ownPosition(0).start).toBe(UNKNOWN_START);
  });

  it("write everything the first time, so that a restart finds all sections", () => {
    const lone = new LoneReplica(SELF, NOW_MS);
    expect([...(lone.commit()?.sections.keys() ?? [])].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "identity",
      "members",
      "progress",
    ]);
  });
});
