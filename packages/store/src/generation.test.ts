import { ChangeSet, type KeyText, type ScanRequest, type WriteRecord } from "@meshkv/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { FaultyEngine } from "../test/faulty-engine.ts";
import { accept, bytes, commitRecords, key, ORIGIN, OTHER, record, setEntry } from "../test/groups.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { openMemoryEngine } from "./engine.ts";
import type { Damage, Generation } from "./generation.ts";
import { conflictedRow, entryRow, expiryRow, logRow, sectionRow } from "./row-keys.ts";

interface Opened {
  readonly database: Database;
  readonly table: Generation;
  readonly engine: FaultyEngine;
  readonly damages: Damage[];
}

async function open(options: DatabaseOptions = {}): Promise<Opened> {
  const engine = new FaultyEngine(await openMemoryEngine());
  const damages: Damage[] = [];
  const database = await Database.open(
    { engine },
    { onDamage: (damage) => damages.push(damage), ...options },
  );
  onTestFinished(() => database.close());
  return { database, table: database.generation(1), engine, damages };
}

async function overwrite(engine: FaultyEngine, row: Uint8Array, value: Uint8Array): Promise<void> {
  const batch = engine.batch();
  batch.put(row, value);
  await batch.write({ sync: true });
}

/** A deadline that has not passed at any timestamp of these tests. */
const LATER_MS = 2_000_000_000_000;

function scanLog(after: number, upTo: number, bytesMax = 1_000_000): Extract<ScanRequest, { kind: "log" }> {
  return { kind: "log", origin: ORIGIN, after, upTo, bytesMax };
}

function timestampsOf(records: readonly WriteRecord[]): number[] {
  return records.map(({ timestamp }) => timestamp);
}

const ALL_EXPIRIES: ScanRequest = { kind: "expiries", after: undefined, upToMs: 1e15, countMax: 100 };
const ALL_CONFLICTED: ScanRequest = { kind: "conflicted", after: undefined, countMax: 100 };
const ALL_SETTLED: ScanRequest = { kind: "settled", after: undefined, bytesMax: 1e9 };
const ALL_ENTRIES = { kind: "entries", after: undefined, bytesMax: 1e9 } as const satisfies ScanRequest;

describe("commit", () => {
  test("makes entries, logs and sections readable together", async () => {
    const { table } = await open();
    const put = record({ timestamp: 1 });
    const group = new ChangeSet(1);
    accept(group, table, put);
    group.sections.set("progress", bytes("progress"));
    group.sections.set("identity", bytes("identity"));
    await table.commit(group);
    expect(table.entry(put.key)).toEqual({ winner: put, siblings: [] });
    expect(await table.scan(scanLog(0, 9))).toEqual({ kind: "log", records: [put], done: true });
    expect(await table.sections()).toEqual(
      new Map([
        ["identity", bytes("identity")],
        ["progress", bytes("progress")],
      ]),
    );
  });

  test("of a group that was copied nothing is kept in memory, and nothing that was known before it either", async () => {
    const { table } = await open();
    const put = record({ timestamp: 1 });
    expect(table.entry(put.key)).toBeUndefined();
    const group = new ChangeSet(1);
    group.isCopy = true;
    accept(group, table, put);
    await table.commit(group);
    const { misses } = table.cacheCounts;
    expect(table.entry(put.key)?.winner).toEqual(put);
    expect(table.cacheCounts.misses).toBe(misses + 1);
  });

  test("removes an entry, and cuts a log", async () => {
    const { table } = await open();
    await commitRecords(table, record({ timestamp: 1 }), record({ timestamp: 2 }));
    const group = new ChangeSet(2);
    setEntry(group, table, key("k"), undefined);
    group.cuts.push({ origin: ORIGIN, timestamp: 1 });
    await table.commit(group);
    expect(table.entry(key("k"))).toBeUndefined();
    const result = await table.scan(scanLog(0, 9));
    expect(result.kind === "log" && timestampsOf(result.records)).toEqual([2]);
  });

  test("keeps one expiry row per deadline, however often it changes", async () => {
    const { table } = await open();
    const rows = async (): Promise<unknown> => {
      const result = await table.scan(ALL_EXPIRIES);
      return result.kind === "expiries" ? result.rows.map(({ expiresAtMs }) => expiresAtMs) : result;
    };
    await commitRecords(table, record({ timestamp: 1, expiresAtMs: 5000 }));
    expect(await rows()).toEqual([5000]);
    await commitRecords(
      table,
      record({ timestamp: 2, expiresAtMs: 7000, context: [{ origin: ORIGIN, timestamp: 1 }] }),
    );
    expect(await rows()).toEqual([7000]);
    await commitRecords(
      table,
      record({ timestamp: 3, expiresAtMs: 7000, context: [{ origin: ORIGIN, timestamp: 2 }] }),
    );
    expect(await rows()).toEqual([7000]);
    await commitRecords(
      table,
      record({ timestamp: 4, isDelete: true, context: [{ origin: ORIGIN, timestamp: 3 }] }),
    );
    expect(await rows()).toEqual([]);
  });

  test("removes expiry rows that are told to lead nowhere", async () => {
    const { table, engine } = await open();
    await overwrite(engine, expiryRow(1, 4000, key("gone")), bytes(""));
    const group = new ChangeSet(1);
    group.staleExpiries.push({ expiresAtMs: 4000, key: key("gone") });
    await table.commit(group);
    expect(await table.scan(ALL_EXPIRIES)).toEqual({ kind: "expiries", rows: [], done: true });
  });

  test("marks a key while it has losing puts, and not for losing deletes", async () => {
    const { table } = await open();
    const one = record({ timestamp: 1 });
    const two = record({ timestamp: 2, origin: OTHER });
    await commitRecords(table, one, two);
    expect(await table.scan(ALL_CONFLICTED)).toEqual({ kind: "conflicted", keys: ["k"], done: true });
    const context = [
      { origin: ORIGIN, timestamp: 1 },
      { origin: OTHER, timestamp: 2 },
    ];
    await commitRecords(table, record({ timestamp: 3, isDelete: true, context }));
    expect(await table.scan(ALL_CONFLICTED)).toEqual({ kind: "conflicted", keys: [], done: true });
    await commitRecords(table, record({ timestamp: 4, origin: OTHER }));
    expect(table.entry(key("k"))?.siblings.map(({ isDelete }) => isDelete)).toEqual([true]);
    expect(await table.scan(ALL_CONFLICTED)).toEqual({ kind: "conflicted", keys: [], done: true });
  });

  test("keeps settled conflicts until they are dropped", async () => {
    const { table } = await open();
    const losers = [record({ timestamp: 1, key: key("a\0") }), record({ timestamp: 2, key: key("a") })];
    const group = new ChangeSet(1);
    for (const loser of losers) group.settled.push({ record: loser, settledAtMs: 1234 });
    await table.commit(group);
    const [second, first] = losers;
    expect(await table.scan(ALL_SETTLED)).toEqual({
      kind: "settled",
      conflicts: [first, second].map((loser) => ({ record: loser, settledAtMs: 1234 })),
      done: true,
    });
    expect(await table.scan({ ...ALL_SETTLED, after: first })).toMatchObject({
      conflicts: [{ record: second }],
    });
    const drop = new ChangeSet(2);
    drop.dropped.push(...losers);
    await table.commit(drop);
    expect(await table.scan(ALL_SETTLED)).toMatchObject({ conflicts: [] });
  });

  test("is refused while another one is under way", async () => {
    const { table, engine } = await open();
    engine.hold();
    const first = commitRecords(table, record({ timestamp: 1 }));
    await expect(commitRecords(table, record({ timestamp: 2 }))).rejects.toThrow("under way");
    engine.release();
    await first;
  });

  test("generations do not see each other", async () => {
    const { database, table } = await open();
    await commitRecords(table, record({ timestamp: 1 }));
    const other = database.generation(2);
    expect(other.entry(key("k"))).toBeUndefined();
    expect(await other.scan(ALL_ENTRIES)).toEqual({ kind: "entries", entries: [], done: true });
    await commitRecords(other, record({ timestamp: 5 }));
    expect(table.entry(key("k"))?.winner.timestamp).toBe(1);
    expect(await database.generations()).toEqual([1, 2]);
  });
});

describe("reads while a commit is under way", () => {
  test("single entries are as before it, cached or not, until it resolves", async () => {
    const { table, engine } = await open();
    const before = record({ timestamp: 1, key: key("known") });
    await commitRecords(table, before);
    engine.hold();
    const group = new ChangeSet(2);
    accept(group, table, record({ timestamp: 2, key: key("known") }));
    accept(group, table, record({ timestamp: 3, key: key("new") }));
    const pending = table.commit(group);
    await new Promise(setImmediate);
    expect(engine.getSync(entryRow(1, key("new")))).toBeDefined();
    expect(table.entry(key("known"))?.winner.timestamp).toBe(1);
    expect(table.entry(key("new"))).toBeUndefined();
    engine.release();
    await pending;
    expect(table.entry(key("known"))?.winner.timestamp).toBe(2);
    expect(table.entry(key("new"))?.winner.timestamp).toBe(3);
  });

  test("scans and pages wait for its end, and see all of it and nothing of the next", async () => {
    const { table, engine } = await open();
    engine.hold();
    const pending = commitRecords(table, record({ timestamp: 1 }), record({ timestamp: 2 }));
    const answers: string[] = [];
    const scan = table.scan(scanLog(0, 9)).then((result) => {
      answers.push("scan");
      return result;
    });
    const list = table.list({ limit: 9, bytesMax: 1e6 });
    await new Promise(setImmediate);
    expect(answers).toEqual([]);
    engine.release();
    await pending;
    await commitRecords(table, record({ timestamp: 3 }));
    expect(await scan).toMatchObject({ records: [{ timestamp: 1 }, { timestamp: 2 }] });
    expect((await list).entries).toMatchObject([{ winner: { timestamp: 2 } }]);
  });

  test("scans that wait for a commit that fails see the state before it", async () => {
    const { table, engine } = await open();
    await commitRecords(table, record({ timestamp: 1 }));
    engine.failures.push(new Error("input/output error"));
    const failing = commitRecords(table, record({ timestamp: 2 }));
    const scan = table.scan(scanLog(0, 9));
    await expect(failing).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(await scan).toMatchObject({ records: [{ timestamp: 1 }] });
    expect(table.entry(key("k"))?.winner.timestamp).toBe(1);
  });
});

describe("log scans", () => {
  const batch = [
    record({ timestamp: 10 }),
    record({ timestamp: 20, moreFollows: true }),
    record({ timestamp: 21, moreFollows: true }),
    record({ timestamp: 22 }),
    record({ timestamp: 30 }),
  ];

  test("begin after a timestamp and end at another", async () => {
    const { table } = await open();
    await commitRecords(table, ...batch, record({ timestamp: 25, origin: OTHER }));
    expect(await table.scan(scanLog(10, 22))).toEqual({
      kind: "log",
      records: batch.slice(1, 4),
      done: true,
    });
    expect(await table.scan(scanLog(30, 99))).toEqual({ kind: "log", records: [], done: true });
  });

  test("end only where a batch ends, whatever the limit", async () => {
    const { table } = await open();
    await commitRecords(table, ...batch);
    expect(await table.scan(scanLog(10, 99, 1))).toEqual({
      kind: "log",
      records: batch.slice(1, 4),
      done: false,
    });
    expect(await table.scan(scanLog(0, 99, 1))).toEqual({
      kind: "log",
      records: batch.slice(0, 1),
      done: false,
    });
    expect(await table.scan(scanLog(0, 21))).toEqual({ kind: "log", records: batch.slice(0, 4), done: true });
  });

  test("take what was cut off a batch as its end", async () => {
    const { table } = await open();
    await commitRecords(table, ...batch.slice(0, 4));
    const group = new ChangeSet(2);
    group.cuts.push({ origin: ORIGIN, timestamp: 21 }, { origin: ORIGIN, timestamp: 22 });
    await table.commit(group);
    expect(await table.scan(scanLog(0, 22))).toEqual({ kind: "log", records: batch.slice(0, 2), done: true });
  });
});

describe("other scans", () => {
  const names = ["a", "b", "b\0", "c"].map(key);

  async function filled(): Promise<Opened> {
    const opened = await open();
    const records = names.flatMap((name, index) => [
      record({ timestamp: index + 1, key: name, expiresAtMs: LATER_MS + Math.floor(index / 2) }),
      record({
        timestamp: index + 11,
        key: name,
        origin: OTHER,
        expiresAtMs: LATER_MS + Math.floor(index / 2),
      }),
    ]);
    await commitRecords(opened.table, ...records);
    return opened;
  }

  /** Reads a whole table page by page, one row at a time. */
  async function pages(
    table: Generation,
    next: (after: KeyText | undefined) => ScanRequest,
  ): Promise<KeyText[]> {
    const keys: KeyText[] = [];
    for (let after: KeyText | undefined; ; after = keys.at(-1)) {
      const result = await table.scan(next(after));
      if (result.kind === "entries") keys.push(...result.entries.map(({ winner }) => winner.key));
      else if (result.kind === "conflicted") keys.push(...result.keys);
      else throw new Error(`unexpected ${result.kind}`);
      if (result.done) return keys;
    }
  }

  test("entries go on after a key", async () => {
    const { table } = await filled();
    expect(await pages(table, (after) => ({ kind: "entries", after, bytesMax: 1 }))).toEqual(names);
  });

  test("conflicted keys go on after a key", async () => {
    const { table } = await filled();
    expect(await pages(table, (after) => ({ kind: "conflicted", after, countMax: 1 }))).toEqual(names);
  });

  test("deadlines go on after a row, up to a time", async () => {
    const { table } = await filled();
    const rows = names.map((name, index) => ({ expiresAtMs: LATER_MS + Math.floor(index / 2), key: name }));
    const some = { kind: "expiries", after: undefined, upToMs: LATER_MS, countMax: 9 } as const;
    expect(await table.scan(some)).toEqual({ kind: "expiries", rows: rows.slice(0, 2), done: true });
    const later = { ...some, upToMs: LATER_MS + 1, after: rows[0], countMax: 2 };
    expect(await table.scan(later)).toEqual({ kind: "expiries", rows: rows.slice(1, 3), done: false });
    expect(await table.scan({ ...some, upToMs: LATER_MS - 1 })).toEqual({
      kind: "expiries",
      rows: [],
      done: true,
    });
  });
});

describe("damaged rows", () => {
  test("an entry with a flipped bit is never served, and told once", async () => {
    const { table, engine, damages } = await open({ cacheBytesMax: 0 });
    await commitRecords(table, record({ timestamp: 1 }));
    const row = entryRow(1, key("k"));
    const value = Uint8Array.from(engine.getSync(row) ?? []);
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    await overwrite(engine, row, value);
    expect(() => table.entry(key("k"))).toThrow(expect.objectContaining({ code: "STORAGE_FAILED" }));
    expect(() => table.entry(key("k"))).toThrow("checksum");
    expect(await table.scan(ALL_ENTRIES)).toMatchObject({ kind: "failed" });
    await expect(table.list({ limit: 1, bytesMax: 1 })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(damages).toMatchObject([{ generation: 1, key: "k", message: "record checksum does not match" }]);
  });

  test("an entry under another key is none of that key", async () => {
    const { table, engine, damages } = await open();
    await commitRecords(table, record({ timestamp: 1 }));
    await overwrite(engine, entryRow(1, key("q")), engine.getSync(entryRow(1, key("k"))) ?? bytes(""));
    expect(() => table.entry(key("q"))).toThrow("another key");
    expect(damages).toMatchObject([{ key: "q" }]);
  });

  test("a record under another version fails the scan", async () => {
    const { table, engine, damages } = await open();
    await commitRecords(table, record({ timestamp: 1 }));
    await overwrite(engine, logRow(1, ORIGIN, 2), engine.getSync(logRow(1, ORIGIN, 1)) ?? bytes(""));
    expect(await table.scan(scanLog(0, 9))).toMatchObject({ kind: "failed" });
    expect(await table.scan(scanLog(0, 1))).toMatchObject({ kind: "log" });
    expect(damages).toMatchObject([{ key: undefined }]);
  });

  test("scans that may skip damaged rows go on behind them", async () => {
    const { table, engine, damages } = await open();
    const names = ["a", "b", "c"].map(key);
    await commitRecords(table, ...names.map((name, index) => record({ timestamp: index + 1, key: name })));
    for (const name of ["a", "b"]) await overwrite(engine, entryRow(1, key(name)), bytes("nonsense"));
    await overwrite(engine, logRow(1, ORIGIN, 2), bytes("nonsense"));
    expect(await table.scan({ ...ALL_ENTRIES, bytesMax: 1, skipDamaged: true })).toMatchObject({
      entries: [{ winner: { key: "c" } }],
    });
    expect(await table.scan({ ...scanLog(0, 9), skipDamaged: true })).toMatchObject({
      records: [{ timestamp: 1 }, { timestamp: 3 }],
      done: true,
    });
    expect(damages).toEqual([]);
  });

  test("a section with a flipped bit is refused", async () => {
    const { table, engine } = await open();
    const group = new ChangeSet(1);
    group.sections.set("progress", bytes("state"));
    await table.commit(group);
    await overwrite(engine, sectionRow(1, "progress"), bytes("\0\0\0\0state"));
    await expect(table.sections()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("an engine that cannot read is an operating failure", async () => {
    const { table, engine } = await open();
    engine.readFailure = new Error("input/output error");
    expect(() => table.entry(key("k"))).toThrow(expect.objectContaining({ code: "STORAGE_FAILED" }));
  });
});

describe("a failed batch", () => {
  test("stops all writing until the database is opened again, and no reading", async () => {
    const { database, table, engine } = await open();
    await commitRecords(table, record({ timestamp: 1 }));
    engine.failures.push(new Error("input/output error"));
    await expect(commitRecords(table, record({ timestamp: 2 }))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
    const writes = engine.writes;
    await expect(commitRecords(table, record({ timestamp: 3 }))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
    const essential = table.commit(new ChangeSet(4), { essential: true });
    await expect(essential).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(commitRecords(database.generation(2), record({ timestamp: 3 }))).rejects.toThrow(
      "opened again",
    );
    expect(engine.writes).toBe(writes);
    expect(database.failure?.message).toContain("input/output error");
    expect(table.entry(key("k"))?.winner.timestamp).toBe(1);
    expect(await table.scan(scanLog(0, 9))).toMatchObject({ records: [{ timestamp: 1 }] });
  });

  test("on a full disk says so", async () => {
    const { table, engine } = await open();
    engine.failures.push(new Error("IO error: engine/000003.log: No space left on device"));
    await expect(commitRecords(table, record({ timestamp: 1 }))).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
    await expect(commitRecords(table, record({ timestamp: 1 }))).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
  });

  test("leaves no half-built batch behind when a group cannot be encoded", async () => {
    const { database, table, engine } = await open();
    const group = new ChangeSet(1);
    accept(group, table, record({ timestamp: 1 }));
    group.settled.push({ record: record({ timestamp: 1 }), settledAtMs: -1 });
    const writes = engine.writes;
    await expect(table.commit(group)).rejects.toThrow("unsigned");
    expect(engine.writes).toBe(writes);
    expect(database.failure).toBeUndefined();
    expect(table.entry(key("k"))).toBeUndefined();
    expect(engine.getSync(conflictedRow(1, key("k")))).toBeUndefined();
  });
});

describe("little free space", () => {
  test("refuses groups before the engine meets them, except essential ones", async () => {
    let free = 1000;
    const { database, table, engine } = await open({
      freeBytesFloor: 500,
      freeBytesProbe: () => Promise.resolve(free),
    });
    await commitRecords(table, record({ timestamp: 1 }));
    expect(database.isFull).toBe(false);
    free = 499;
    // More was written since than a reading is good for, so the next commit reads again.
    const large = new ChangeSet(2);
    large.bytes = 5_000_000;
    await table.commit(large);
    const writes = engine.writes;
    await expect(commitRecords(table, record({ timestamp: 2 }))).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
    expect(engine.writes).toBe(writes);
    expect(database.isFull).toBe(true);
    expect(database.failure).toBeUndefined();
    await table.commit(new ChangeSet(3), { essential: true });
    expect(await database.freeBytes()).toBeLessThan(500);
  });
});

test("the cache of decoded entries stays within its bound", async () => {
  const { table } = await open({ cacheBytesMax: 50_000 });
  for (let round = 0; round < 20; round += 1) {
    const records = Array.from({ length: 20 }, (_, index) =>
      record({
        timestamp: round * 20 + index + 1,
        key: key(`key ${round} ${index}`),
        value: new Uint8Array(200),
      }),
    );
    await commitRecords(table, ...records);
    expect(table.cacheBytes).toBeLessThanOrEqual(50_000);
  }
  for (let round = 0; round < 20; round += 1) {
    expect(table.entry(key(`key ${round} 7`))?.winner.timestamp).toBe(round * 20 + 8);
    expect(table.cacheBytes).toBeLessThanOrEqual(50_000);
  }
});
