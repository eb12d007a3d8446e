/**
 * One flipped bit anywhere in the files of a stopped database: whatever it hits, no read gives a wrong answer, and none
 * misses a row, unless damage is reported.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ChangeSet, type KeyText, MeshkvError, type ScanRequest, type ScanResult } from "@meshkv/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database, type DatabaseOptions } from "../src/database.ts";
import type { Generation } from "../src/generation.ts";
import { accept, bytes, key, ORIGIN, OTHER, record } from "./groups.ts";
import { withTemporaryDirectory } from "./temporary.ts";

const ROWS = 240;
const POSITIONS = 30;
/** The end of a table: filter, both indexes and the footer. */
const TABLE_END_BYTES = 1200;
const OPTIONS: DatabaseOptions = { writeBufferBytes: 64 * 1024, freeBytesFloor: 0 };

/** A file of the engine with its content when all was well. */
interface EngineFile {
  readonly name: string;
  readonly content: Uint8Array;
}

function keyOf(number: number): KeyText {
  return key(`key/${String(number).padStart(4, "0")}`);
}

async function commit(table: Generation, from: number, to: number): Promise<void> {
  const group = new ChangeSet(1);
  for (let number = from; number < to; number += 1) {
    accept(group, table, record({ timestamp: 2 * number + 1, origin: OTHER, key: keyOf(number) }));
    // Concurrent: it makes a sibling, and a row that marks the conflict.
    if (number % 16 === 0) accept(group, table, record({ timestamp: 2 * number + 2, key: keyOf(number) }));
    const expiresAtMs = number % 8 === 1 ? 5000 + number : 0;
    accept(
      group,
      table,
      record({ timestamp: 1000 + number, origin: ORIGIN, key: keyOf(number), expiresAtMs }),
    );
  }
  group.sections.set("progress", bytes(`progress ${to} `.repeat(20)));
  await table.commit(group);
}

/** Makes a database whose rows are in a table but for a few in the log, and closes it. */
async function makeFiles(directory: string): Promise<readonly EngineFile[]> {
  const open = (): Promise<Database> => Database.open({ directory }, OPTIONS);
  let database = await open();
  for (let from = 0; from < ROWS - 20; from += 20) await commit(database.generation(1), from, from + 20);
  await database.close();
  // Opening turns the log into a table.
  database = await open();
  await commit(database.generation(1), ROWS - 20, ROWS);
  await database.close();
  const found: EngineFile[] = [];
  for (const name of (await readdir(join(directory, "engine"))).sort()) {
    if (/\.ldb$|\.log$|^MANIFEST|^CURRENT$/.test(name)) {
      found.push({ name, content: new Uint8Array(await readFile(join(directory, "engine", name))) });
    }
  }
  return found;
}

/** Everything that can be read, as lines; a read that is refused is a line that says so. */
async function readEverything(database: Database): Promise<string[]> {
  const table = database.generation(database.currentGeneration);
  const lines: string[] = [];
  for (let number = 0; number < ROWS; number += 1) lines.push(`get ${getLine(table, keyOf(number))}`);
  for (const request of SCANS) lines.push(scanLine(await table.scan(request)));
  try {
    for (const [name, content] of await table.sections())
      lines.push(`section ${name} ${Buffer.from(content).toString()}`);
  } catch (error) {
    lines.push(`sections: ${codeOf(error)}`);
  }
  return lines;
}

const bytesMax = 1 << 24;
const countMax = 10_000;
const SCANS: readonly ScanRequest[] = [
  { kind: "entries", after: undefined, bytesMax },
  { kind: "log", origin: ORIGIN, after: 0, upTo: 1e6, bytesMax },
  { kind: "log", origin: OTHER, after: 0, upTo: 1e6, bytesMax },
  { kind: "expiries", after: undefined, upToMs: 1e6, countMax },
  { kind: "conflicted", after: undefined, countMax },
  { kind: "settled", after: undefined, bytesMax },
];

function getLine(table: Generation, name: KeyText): string {
  try {
    return JSON.stringify(table.entry(name), showBytes) ?? "none";
  } catch (error) {
    return codeOf(error);
  }
}

function scanLine(result: ScanResult): string {
  return result.kind === "failed" ? "scan: STORAGE_FAILED" : JSON.stringify(result, showBytes);
}

function showBytes(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

function codeOf(error: unknown): string {
  if (error instanceof MeshkvError) return error.code;
  throw error;
}

/** Opens a copy in which one bit is flipped, and reads everything. */
async function readDamaged(
  healthy: string,
  { name, content }: EngineFile,
  at: number,
  bit: number,
): Promise<{ readonly lines: readonly string[]; readonly isReported: boolean }> {
  return withTemporaryDirectory(async (directory) => {
    await cp(healthy, directory, { recursive: true });
    const copy = content.slice();
    copy[at] = (copy[at] ?? 0) ^ (1 << bit);
    await writeFile(join(directory, "engine", name), copy);
    const told: string[] = [];
    let database: Database;
    try {
      database = await Database.open(
        { directory },
        { ...OPTIONS, onDamage: ({ message }) => told.push(message) },
      );
    } catch (error) {
      return { lines: [codeOf(error)], isReported: true };
    }
    try {
      const lines = await readEverything(database);
      return { lines, isReported: told.length > 0 || database.damage.length > 0 };
    } finally {
      await database.close();
    }
  });
}

/** Seconds, or minutes on a machine that has other things to do. */
const FLIPS_MS_MAX = 300_000;

describe("one flipped bit in the files of a stopped database", { timeout: FLIPS_MS_MAX }, () => {
  let healthy = "";
  let files: readonly EngineFile[] = [];
  let expected: readonly string[] = [];

  beforeAll(async () => {
    healthy = await mkdtemp(join(tmpdir(), "meshkv-flips-"));
    files = await makeFiles(healthy);
    await withTemporaryDirectory(async (directory) => {
      await cp(healthy, directory, { recursive: true });
      const database = await Database.open({ directory }, OPTIONS);
      expected = await readEverything(database);
      expect(database.damage).toEqual([]);
      await database.close();
    });
  });
  afterAll(() => rm(healthy, { recursive: true, force: true }));

  /** Flips one bit after the other, at places spread evenly; returns how many were reported. */
  async function flipAll(pattern: RegExp, lastBytes = Number.MAX_SAFE_INTEGER): Promise<number> {
    const file = files.find(({ name }) => pattern.test(name));
    if (file === undefined) throw new Error(`no file is named like ${String(pattern)}`);
    const start = Math.max(0, file.content.length - lastBytes);
    const positions = Math.min(POSITIONS, file.content.length);
    const silent: string[] = [];
    let reported = 0;
    for (let index = 0; index < positions; index += 1) {
      const at = start + Math.floor((index * (file.content.length - start)) / positions);
      const { lines, isReported } = await readDamaged(healthy, file, at, index % 8);
      if (isReported) reported += 1;
      else if (!isDeepStrictEqual(lines, expected))
        silent.push(`bit ${index % 8} of byte ${at} of ${file.name}`);
    }
    expect(silent).toEqual([]);
    return reported;
  }

  test("in a table's rows", async () => {
    expect(await flipAll(/\.ldb$/)).toBe(POSITIONS);
  });

  test("in a table's filter, indexes and footer", async () => {
    // Only the filler of the footer may change without a trace.
    expect(await flipAll(/\.ldb$/, TABLE_END_BYTES)).toBeGreaterThan(POSITIONS - 5);
  });

  test("in the log, the manifest, and the file that names it", async () => {
    expect(await flipAll(/\.log$/)).toBe(POSITIONS);
    expect(await flipAll(/^MANIFEST/)).toBe(POSITIONS);
    expect(await flipAll(/^CURRENT$/)).toBeGreaterThan(0);
  });
});
