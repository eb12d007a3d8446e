import { setImmediate as turn } from "node:timers/promises";
import { ChangeSet, type KeyText } from "@meshkv/core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { FaultyEngine } from "../test/faulty-engine.ts";
import { key, record, setEntry } from "../test/groups.ts";
import { AbsentKeys } from "./absent-keys.ts";
import { Database } from "./database.ts";
import { openMemoryEngine } from "./engine.ts";
import type { Generation } from "./generation.ts";

const keyOf = (number: number): KeyText => key(`key/${number}`);

interface Opened {
  readonly database: Database;
  readonly table: Generation;
  readonly engine: FaultyEngine;
  /** How many keys of a range were looked for in the engine. */
  readonly lookups: (from: number, to: number) => number;
}

async function open(): Promise<Opened> {
  const engine = new FaultyEngine(await openMemoryEngine());
  // Nothing is answered out of memory, not even what was asked for before.
  const database = await Database.open({ engine }, { cacheBytesMax: 0 });
  onTestFinished(() => database.close());
  const table = database.generation(1);
  const look = vi.spyOn(engine, "getSync");
  return {
    database,
    table,
    engine,
    lookups: (from, to) => {
      look.mockClear();
      for (let number = from; number < to; number += 1) table.entry(keyOf(number));
      return look.mock.calls.length;
    },
  };
}

/** Puts of keys that are new, from one number up to another; none is looked for. */
function putsOf(from: number, to: number): ChangeSet {
  const group = new ChangeSet(1);
  for (let number = from; number < to; number += 1) {
    const winner = record({ timestamp: number + 1, key: keyOf(number) });
    group.entries.set(winner.key, { before: undefined, after: { winner, siblings: [] } });
  }
  return group;
}

function write(table: Generation, from: number, to: number): Promise<void> {
  return table.commit(putsOf(from, to));
}

/** Asks for keys that are not there until none is looked for any more. */
async function learn({ lookups }: Opened): Promise<void> {
  for (let round = 0; round < 10_000; round += 1) {
    if (lookups(1_000_000, 1_001_000) < 100) return;
    await turn();
  }
  throw new Error("keys that are absent are looked for, again and again");
}

describe("keys that are absent", () => {
  test("are not looked for once many were, and those that are there are found", async () => {
    const opened = await open();
    const { table, lookups } = opened;
    await write(table, 0, 9000);
    expect(lookups(1_000_000, 1_000_100)).toBe(100);
    await learn(opened);
    expect(lookups(2_000_000, 2_001_000)).toBeLessThan(50);
    for (let number = 0; number < 9000; number += 1) expect(table.entry(keyOf(number))).toBeDefined();
  });

  test("are there when they were written while all keys were read, or later", async () => {
    const opened = await open();
    const { table, lookups } = opened;
    await write(table, 0, 9000);
    lookups(1_000_000, 1_001_000);
    await write(table, 9000, 9100);
    await learn(opened);
    await write(table, 9100, 9200);
    for (let number = 0; number < 9200; number += 1) expect(table.entry(keyOf(number))).toBeDefined();
    const removal = new ChangeSet(1);
    setEntry(removal, table, keyOf(5), undefined);
    await table.commit(removal);
    expect(table.entry(keyOf(5))).toBeUndefined();
    await write(table, 5, 6);
    expect(table.entry(keyOf(5))).toBeDefined();
  });

  test("are there when a commit was under way as the reading was to begin", async () => {
    const opened = await open();
    const { table, lookups } = opened;
    await write(table, 0, 100);
    const pending = write(table, 100, 200);
    lookups(1_000_000, 1_001_000);
    await pending;
    await learn(opened);
    for (let number = 0; number < 200; number += 1) expect(table.entry(keyOf(number))).toBeDefined();
  });

  test("are looked for where they cannot be read, or are too many", async () => {
    const opened = await open();
    vi.spyOn(opened.engine, "iterator").mockImplementation(() => {
      throw Object.assign(new Error("no iterator"), { code: "LEVEL_ITERATOR_NOT_OPEN" });
    });
    expect(opened.lookups(1_000_000, 1_001_000)).toBe(1000);
    await turn();
    expect(opened.lookups(1_000_000, 1_001_000)).toBe(1000);

    const few = new AbsentKeys(64 * 1024);
    few.begin();
    few.committing(putsOf(0, 40_000));
    expect(few.isAbsent(keyOf(0))).toBe(false);
    expect(Array.from({ length: 1000 }, () => few.missed())).not.toContain(true);
  });
});
