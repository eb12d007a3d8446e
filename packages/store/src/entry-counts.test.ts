import { setImmediate as turn } from "node:timers/promises";
import { ChangeSet, type KeyText } from "@meshkv/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { accept, key, ORIGIN, OTHER, record } from "../test/groups.ts";
import { Database } from "./database.ts";
import { openMemoryEngine } from "./engine.ts";
import type { EntryFigures } from "./entry-counts.ts";
import { FaultyEngine } from "../test/faulty-engine.ts";
import type { Generation } from "./generation.ts";
import { hasPutSiblings } from "./group-rows.ts";
import { entryRow } from "./row-keys.ts";

async function open(): Promise<{ database: Database; table: Generation; engine: FaultyEngine }> {
  const engine = new FaultyEngine(await openMemoryEngine());
  const database = await Database.open({ engine });
  onTestFinished(() => database.close());
  return { database, table: database.generation(1), engine };
}

const keyOf = (number: number): KeyText => key(`key/${number}`);

/** Puts, deletes and concurrent puts of keys from one number up to another. */
async function write(table: Generation, from: number, to: number, timestamp: number): Promise<void> {
  const group = new ChangeSet(1);
  for (let number = from; number < to; number += 1) {
    const kind = (number + timestamp) % 3;
    const write = { timestamp: timestamp + number, key: keyOf(number) };
    if (kind === 2) accept(group, table, record({ ...write, origin: OTHER }));
    accept(group, table, record({ ...write, origin: ORIGIN, isDelete: kind === 0 }));
  }
  await table.commit(group);
}

/** What a reader who counts every entry finds. */
async function recount(table: Generation): Promise<EntryFigures> {
  let [tombstones, conflicts] = [0, 0];
  await table.readTable((entry) => {
    tombstones += Number(entry.winner.isDelete);
    conflicts += Number(hasPutSiblings(entry));
  }, new AbortController().signal);
  return { tombstones, conflicts };
}

describe("figures of a table", () => {
  test("are there after one count, and kept by every commit", async () => {
    const { table } = await open();
    await write(table, 0, 60, 1000);
    expect(table.entryFigures).toBeUndefined();
    await table.countEntries();
    const counted = await recount(table);
    expect(table.entryFigures).toEqual(counted);
    expect([counted.tombstones, counted.conflicts]).toEqual([20, 20]);
    for (let round = 2; round < 8; round += 1) {
      await write(table, 20 * (round % 4), 20 * (round % 4) + 35, 1000 * round);
      expect(table.entryFigures).toEqual(await recount(table));
    }
  });

  test("are right though commits go on before and behind the reader", async () => {
    const { table } = await open();
    for (let from = 0; from < 2000; from += 100) await write(table, from, from + 100, 10_000);
    let isCounting = true;
    const counting = table.countEntries().finally(() => (isCounting = false));
    for (let round = 0; isCounting || round < 10; round += 1) {
      // The engine in memory never waits: others would never get a turn.
      await turn();
      await write(table, (round * 700) % 2000, ((round * 700) % 2000) + 150, 100_000 * (round + 1));
    }
    await counting;
    expect(table.entryFigures).toEqual(await recount(table));
  });

  test("leave out what cannot be read, and go with the tables", async () => {
    const { database, engine } = await open();
    // Not the one that serves: that one is never wiped.
    const table = database.generation(2);
    await write(table, 0, 6, 1000);
    const batch = engine.batch();
    batch.put(entryRow(2, keyOf(2)), new Uint8Array(9));
    await batch.write({ sync: true });
    await table.countEntries();
    expect(table.entryFigures).toEqual({ tombstones: 1, conflicts: 2 });
    const counting = table.countEntries();
    await database.wipe(2);
    await counting;
    expect(table.entryFigures).toBeUndefined();
  });
});
