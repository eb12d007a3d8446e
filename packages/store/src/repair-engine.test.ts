import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Engine, openClassicEngine } from "./engine.ts";
import { readRows } from "./read-rows.ts";
import { repairEngine } from "./repair-engine.ts";

const ROWS = 2000;
const OPTIONS = { writeBufferBytes: 64 * 1024, blockCacheBytes: 64 * 1024 };
let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "meshkv-repair-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function keyOf(number: number): Uint8Array {
  return new TextEncoder().encode(String(number).padStart(6, "0"));
}

function valueOf(number: number): Uint8Array {
  return new TextEncoder().encode(`value ${number} `.repeat(8));
}

async function put(engine: Engine, from: number, to: number): Promise<void> {
  const batch = engine.batch();
  for (let number = from; number < to; number += 1) batch.put(keyOf(number), valueOf(number));
  await batch.write({ sync: true });
}

it("keeps what can be read, and lets writes and compactions through again", async () => {
  let engine = await openClassicEngine(directory, OPTIONS);
  for (let from = 0; from < ROWS; from += 100) await put(engine, from, from + 100);
  await engine.compactRange?.(keyOf(0), keyOf(ROWS));
  await engine.close();
  const [table = ""] = (await readdir(directory)).filter((name) => name.endsWith(".ldb"));
  const path = join(directory, table);
  const bytes = await readFile(path);
  // A whole block of rows, beyond doubt.
  bytes.fill(0xff, 1000, 1200);
  await writeFile(path, bytes);

  await repairEngine(directory);

  engine = await openClassicEngine(directory, OPTIONS);
  await engine.compactRange?.(keyOf(0), keyOf(ROWS));
  await put(engine, ROWS, ROWS + 100);
  const rows: [Uint8Array, Uint8Array][] = [];
  await readRows(engine.iterator({ gte: keyOf(0) }), ROWS, (row, value) => {
    rows.push([row, value]);
    return true;
  });
  await engine.close();
  expect(rows.length).toBeGreaterThan(ROWS / 2);
  expect(rows.length).toBeLessThan(ROWS + 100);
  for (const [key, value] of rows) {
    expect(Buffer.compare(value, valueOf(Number(Buffer.from(key).toString())))).toBe(0);
  }
});

it("does not bring back rows out of files that are no longer in use", async () => {
  let engine = await openClassicEngine(directory, OPTIONS);
  await put(engine, 0, 100);
  await engine.compactRange?.(keyOf(0), keyOf(100));
  const [old = ""] = (await readdir(directory)).filter((name) => name.endsWith(".ldb"));
  const kept = await readFile(join(directory, old));
  const batch = engine.batch();
  for (let number = 0; number < 100; number += 1) batch.del(keyOf(number));
  await batch.write({ sync: true });
  await engine.compactRange?.(keyOf(0), keyOf(100));
  await engine.close();
  await writeFile(join(directory, old), kept);

  await repairEngine(directory);

  engine = await openClassicEngine(directory, OPTIONS);
  const iterator = engine.iterator({ gte: keyOf(0) });
  expect(await iterator.nextv(10)).toEqual([]);
  await iterator.close();
  await engine.close();
});

it("gives the newest value of a key, whichever file it is in", async () => {
  for (const value of [1, 2]) {
    const engine = await openClassicEngine(directory, OPTIONS);
    const batch = engine.batch();
    batch.put(keyOf(7), valueOf(value));
    await batch.write({ sync: true });
    await engine.close();
  }
  // Opening turns the log into a table.
  await (await openClassicEngine(directory, OPTIONS)).close();
  const tables = (await readdir(directory)).filter((name) => name.endsWith(".ldb")).sort();
  expect(tables).toHaveLength(2);
  // As a compaction does that begins before the second table is written and ends after it.
  await rename(join(directory, tables[0] ?? ""), join(directory, "000099.ldb"));
  await rm(join(directory, "CURRENT"));

  await repairEngine(directory);

  const engine = await openClassicEngine(directory, OPTIONS);
  expect(Buffer.from(engine.getSync(keyOf(7)) ?? []).toString()).toBe(Buffer.from(valueOf(2)).toString());
  await engine.close();
});
