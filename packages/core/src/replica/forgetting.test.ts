import { LoneReplica, replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText, ReplicaId } from "../ids.ts";
import { type Position, positionAt } from "../position.ts";
import { makeRecord, type RecordFields, type WriteRecord } from "../record.ts";
import { Outbox } from "../session/outbox.ts";
import { EPOCH_MS, timestampFromMs, type Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { Forgetting } from "./forgetting.ts";

const [SELF, PEER, STRANGER] = [replicaId(1), replicaId(2), replicaId(3)];
const NOW_MS = EPOCH_MS + 10_000_000;
const RETENTION_MS = 60_000;
const UNLIMITED = Number.POSITIVE_INFINITY;
const RETENTION = { conflictMs: RETENTION_MS, historyMs: 0, historyBytes: 0 };
const KEY = "key" as KeyText;
const at = (ms: number): Timestamp => timestampFromMs(NOW_MS + ms);

function record(origin: ReplicaId, ms: number, changes: Partial<RecordFields> = {}): WriteRecord {
  const isDelete = changes.isDelete === true;
  return makeRecord({
    timestamp: at(ms),
    origin,
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

/** A replica of a mesh of two, and what it forgets. */
class Desk {
  readonly lone = new LoneReplica(SELF, NOW_MS, [PEER]);
  #outbox = new Outbox();
  #forgetting = new Forgetting(this.lone.replica, this.#outbox, RETENTION);

  constructor(...records: readonly WriteRecord[]) {
    for (const one of records) this.take(one);
  }

  take(one: WriteRecord): void {
    this.lone.replica.accept(one.origin, [one], positionAt(one.timestamp), this.lone.nowMs);
    this.lone.commit();
  }

  /** The process ends at once, and a new one begins. */
  restart(): void {
    this.lone.restart();
    this.#outbox = new Outbox();
    this.#forgetting = new Forgetting(this.lone.replica, this.#outbox, RETENTION);
  }

  /** All members are known to have all of the members' logs up to then; `others` overrides single origins. */
  forget(ms: number, others: readonly [ReplicaId, Position][] = []): void {
    this.hear(ms, others);
    this.lone.settle(this.#outbox);
  }

  /** The same, and nothing that was asked of the tables is answered yet. */
  hear(ms: number, others: readonly [ReplicaId, Position][] = []): void {
    const { replica } = this.lone;
    const bound = at(ms);
    for (const id of [SELF, PEER]) replica.accept(id, [], positionAt(bound), this.lone.nowMs);
    this.lone.commit();
    const vector = new VersionVector([...others, [SELF, positionAt(bound)], [PEER, positionAt(bound)]]);
    const knowledge = { vector, removed: new Set<ReplicaId>() };
    this.#forgetting.advance(bound, () => knowledge, this.lone.nowMs, UNLIMITED);
  }

  /** Time passes until sweeps may begin anew. */
  pass(ms: number): void {
    this.lone.nowMs += ms;
  }

  get logged(): WriteRecord[] {
    return [...this.lone.tables.logs.values()].flat();
  }

  get winner(): WriteRecord | undefined {
    return this.lone.tables.entry(KEY)?.winner;
  }

  get siblings(): readonly WriteRecord[] {
    return this.lone.tables.entry(KEY)?.siblings ?? [];
  }
}

describe("log records", () => {
  it("go at and below the horizon; puts stay as entries", () => {
    const desk = new Desk(
      record(PEER, -10),
      record(PEER, -5, { key: "b" as KeyText }),
      record(PEER, -4, { key: "c" as KeyText }),
    );
    desk.forget(-5);
    expect(desk.logged.map(({ key }) => key)).toEqual(["c"]);
    expect(desk.lone.tables.entries.size).toBe(3);
    expect(desk.lone.replica.floors.get(PEER)).toBe(at(-5));
    expect(desk.lone.replica.logBytes).toBe(desk.logged[0]?.bytes.length);
  });

  it("of an origin that no member waits for go only as far as all have it (F3, F4)", () => {
    const desk = new Desk(record(STRANGER, -10), record(STRANGER, -8));
    desk.forget(-1, [[STRANGER, positionAt(at(-10))]]);
    const mine = desk.logged.filter(({ origin }) => origin === STRANGER);
    expect(mine.map(({ timestamp }) => timestamp)).toEqual([at(-8)]);
    expect(desk.lone.replica.floors.get(STRANGER)).toBe(at(-10));
  });

  it("go as far as the floor has moved while the tables were read, though it moves no more", () => {
    const desk = new Desk(record(PEER, -10), record(PEER, -5));
    desk.hear(-8);
    desk.forget(-1);
    desk.pass(2500);
    desk.forget(-1);
    expect(desk.logged).toEqual([]);
  });

  it("go in steps, however many they are", () => {
    const records = Array.from({ length: 800 }, (_, index) =>
      record(PEER, index - 1000, { key: `${index}` as KeyText, value: new Uint8Array(1000) }),
    );
    const desk = new Desk(...records);
    desk.forget(-1);
    expect(desk.logged).toEqual([]);
    expect(desk.lone.tables.entries.size).toBe(800);
  });

  it("keep horizon and floors from going back", () => {
    const desk = new Desk(record(PEER, -10));
    desk.forget(-5);
    const horizon = desk.lone.replica.horizon;
    desk.forget(-7);
    expect(desk.lone.replica.horizon).toBe(horizon);
    expect(desk.lone.replica.floors.get(PEER)).toBe(horizon);
  });
});

describe("tombstones", () => {
  it("go with their log record, and not before (F2)", () => {
    const desk = new Desk(record(PEER, -10, { isDelete: true }));
    desk.forget(-11);
    expect([desk.logged.length, desk.winner?.isDelete]).toEqual([1, true]);
    desk.forget(-10);
    expect([desk.logged.length, desk.winner]).toEqual([0, undefined]);
  });

  it("stay while a version that their writer had seen has not arrived (F2)", () => {
    const seen = record(STRANGER, -20);
    const tombstone = record(PEER, -10, {
      isDelete: true,
      context: [{ origin: STRANGER, timestamp: seen.timestamp }],
    });
    const desk = new Desk(tombstone);
    desk.forget(-5);
    expect(desk.winner?.isDelete).toBe(true);
    desk.take(seen);
    expect(desk.winner?.isDelete).toBe(true);
    desk.forget(-4);
    desk.forget(-3);
    expect(desk.winner).toBeUndefined();
  });

  it("stay while they have siblings, as the winner that these lost to", () => {
    const desk = new Desk(record(STRANGER, -20), record(PEER, -10, { isDelete: true }));
    desk.forget(-5);
    expect([desk.winner?.isDelete, desk.siblings.length]).toEqual([true, 1]);
    expect(desk.logged.filter(({ isDelete }) => isDelete)).toHaveLength(1);
  });

  it("that lost go from the entry of their winner", () => {
    const desk = new Desk(record(PEER, -10, { isDelete: true }), record(SELF, -8));
    expect(desk.siblings).toHaveLength(1);
    desk.forget(-5);
    expect([desk.winner?.isDelete, desk.siblings]).toEqual([false, []]);
  });

  it("adopted with a rank above the horizon stay", () => {
    const adopted = { timestamp: at(-30), origin: STRANGER, checksum: 1, rank: at(-2), raised: false };
    const desk = new Desk(record(PEER, -10, { isDelete: true, adopted }));
    desk.forget(-5);
    expect(desk.winner?.isDelete).toBe(true);
  });
});

describe("an origin that says nothing more", () => {
  it("has its tombstone forgotten when that may go at last", () => {
    const desk = new Desk(record(PEER, -20), record(STRANGER, -10, { isDelete: true }));
    const removed: [ReplicaId, Position][] = [[STRANGER, positionAt(at(-10))]];
    desk.forget(-5, removed);
    expect([desk.winner?.isDelete, desk.siblings.length]).toEqual([true, 1]);
    desk.pass(2 * RETENTION_MS);
    desk.forget(-4, removed);
    expect(desk.siblings).toEqual([]);
    desk.pass(2000);
    desk.forget(-3, removed);
    expect([desk.winner, desk.logged]).toEqual([undefined, []]);
  });

  it("has its log cut although the process ended when only its floor was durable", () => {
    const desk = new Desk(record(STRANGER, -10, { isDelete: true }));
    for (const id of [SELF, PEER]) desk.lone.replica.accept(id, [], positionAt(at(-5)), NOW_MS);
    desk.lone.replica.setHorizon(at(-5), new Set([SELF, PEER]));
    desk.lone.replica.setFloor(STRANGER, at(-10));
    desk.lone.commit();
    desk.restart();
    desk.forget(-4, [[STRANGER, positionAt(at(-10))]]);
    expect([desk.winner, desk.logged]).toEqual([undefined, []]);
  });
});

describe("expired puts", () => {
  const expiring = (ms: number) => record(PEER, -10_000, { expiresAtMs: NOW_MS + ms });

  it("go when the horizon has passed their deadline, and stay until then (F2)", () => {
    const desk = new Desk(expiring(-1000));
    desk.forget(-2000);
    expect(desk.winner).toBeDefined();
    desk.pass(2000);
    desk.forget(-500);
    expect(desk.winner).toBeUndefined();
    expect(desk.lone.replica.liveKeys).toBe(0);
  });

  it("do not go before the own clock has passed the deadline", () => {
    const desk = new Desk(expiring(1000));
    desk.forget(2000);
    expect(desk.winner).toBeDefined();
    desk.pass(1500);
    desk.forget(2000);
    expect(desk.winner).toBeUndefined();
  });

  it("leave a row that leads nowhere when a later put has no deadline any more", () => {
    const renewed = record(PEER, -9000, { context: [{ origin: PEER, timestamp: at(-10_000) }] });
    const desk = new Desk(expiring(-1000), renewed);
    desk.forget(-500);
    expect(desk.winner?.timestamp).toBe(renewed.timestamp);
  });
});

describe("conflicts", () => {
  const [loser, winner] = [record(PEER, -10), record(SELF, -8)];

  it("are kept for the retention, whatever the horizon (X1)", () => {
    const desk = new Desk(loser, winner);
    desk.forget(-5);
    desk.pass(RETENTION_MS - 11);
    desk.forget(-4);
    expect(desk.siblings).toHaveLength(1);
    desk.pass(2000);
    desk.forget(-3);
    expect(desk.siblings).toEqual([]);
    expect(desk.winner).toEqual(winner);
  });

  it("are kept beyond the retention, until the horizon (X1)", () => {
    const desk = new Desk(loser, winner);
    desk.pass(10 * RETENTION_MS);
    desk.forget(-11);
    expect(desk.siblings).toHaveLength(1);
    desk.pass(2000);
    desk.forget(-5);
    expect(desk.siblings).toEqual([]);
  });

  it("that are settled are kept for the retention from then on (X2)", () => {
    const desk = new Desk(loser, winner);
    desk.lone.write("key", "settles both");
    desk.lone.commit();
    expect(desk.lone.tables.settled.size).toBe(1);
    desk.pass(RETENTION_MS);
    desk.forget(-5);
    expect(desk.lone.tables.settled.size).toBe(1);
    desk.pass(1001);
    desk.forget(-4);
    expect(desk.lone.tables.settled.size).toBe(0);
  });
});

describe("a scan that fails", () => {
  it("ends the work of now, and not that of later", () => {
    const lone = new LoneReplica(SELF, NOW_MS, [PEER]);
    const outbox = new Outbox();
    const forgetting = new Forgetting(lone.replica, outbox, RETENTION);
    const doomed = record(PEER, -10, { isDelete: true });
    lone.replica.accept(PEER, [doomed], positionAt(at(-9)), NOW_MS);
    lone.commit();
    const knowledge = (ms: number) => ({
      vector: new VersionVector([
        [SELF, positionAt(at(ms))],
        [PEER, positionAt(at(ms))],
      ]),
      removed: new Set<ReplicaId>(),
    });
    forgetting.advance(at(-9), () => knowledge(-9), NOW_MS, UNLIMITED);
    for (const action of outbox.take())
      if (action.kind === "scan") outbox.scanned(action.id, { kind: "failed", message: "" }, NOW_MS);
    expect(lone.replica.entry(KEY)).toBeDefined();
    lone.replica.accept(PEER, [], positionAt(at(-8)), NOW_MS);
    forgetting.advance(at(-8), () => knowledge(-8), NOW_MS + 2000, UNLIMITED);
    lone.settle(outbox);
    expect(lone.replica.entry(KEY)).toBeUndefined();
  });
});
