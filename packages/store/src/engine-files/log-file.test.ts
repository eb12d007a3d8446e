import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { withTemporaryDirectory } from "../../test/temporary.ts";
import { openClassicEngine } from "../engine.ts";
import { encodeLogFile, LOG_BLOCK_BYTES, readLogFile } from "./log-file.ts";

/** A write-ahead log as LevelDB wrote it: records of many sizes, over several blocks. */
let log: Uint8Array;
/** Payloads of its records. */
let payloads: readonly Uint8Array[];

async function makeLog(directory: string): Promise<Uint8Array> {
  const engine = await openClassicEngine(directory, { writeBufferBytes: 8 << 20, blockCacheBytes: 1 << 20 });
  for (let index = 0; index < 60; index += 1) {
    const batch = engine.batch();
    const size = index % 10 === 9 ? 40_000 : index * 50;
    batch.put(Uint8Array.from([index]), new Uint8Array(size).fill(index + 5));
    await batch.write({ sync: true });
  }
  const name = (await readdir(directory)).find((file) => file.endsWith(".log")) ?? "none";
  const content = await readFile(join(directory, name));
  await engine.close();
  return Uint8Array.from(content);
}

function flipped(at: number, mask: number): Uint8Array {
  const copy = log.slice();
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

/** Comparing tens of thousands of bytes one by one, as `toEqual` does, takes seconds. */
function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

describe("readLogFile", () => {
  beforeAll(async () => {
    log = await withTemporaryDirectory(makeLog);
    payloads = readLogFile(log).records;
  });

  test("reads what LevelDB wrote", () => {
    expect(log.length).toBeGreaterThan(4 * LOG_BLOCK_BYTES);
    expect(readLogFile(log)).toMatchObject({ defects: [], tornAt: undefined });
    expect(payloads).toHaveLength(60);
    // A batch begins with its sequence and count; then come tag, key and value of its one row.
    expect(payloads.map((payload) => payload[14])).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });

  test("reads an empty log", () => {
    expect(readLogFile(new Uint8Array(0))).toEqual({ records: [], defects: [], tornAt: undefined });
  });

  test("takes a file that ends anywhere for a write that was cut short", () => {
    fc.assert(
      fc.property(fc.nat({ max: log.length - 1 }), (end) => {
        const { records, defects } = readLogFile(log.slice(0, end));
        expect(defects).toEqual([]);
        expect(records.every((payload, index) => isSame(payload, payloads[index]))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("gives up searching what looks like nothing but records", () => {
    const headers = new Uint8Array(LOG_BLOCK_BYTES - 100).fill(1);
    headers.set([0xf0, 0x7f, 1], 4);
    expect(readLogFile(headers)).toEqual({ records: [], defects: [], tornAt: 0 });
  });

  test("takes zeros up to the end for a write that was cut short", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (zeros) => {
        const grown = new Uint8Array(log.length + zeros);
        grown.set(log);
        const { records, defects } = readLogFile(grown);
        expect(defects).toEqual([]);
        expect(records).toHaveLength(60);
      }),
      { numRuns: 20 },
    );
  });

  test("finds every flipped bit, wherever it is", () => {
    const whole = readLogFile(log);
    fc.assert(
      fc.property(fc.nat({ max: log.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const damaged = readLogFile(flipped(at, 1 << bit));
        // Blocks end in up to six bytes that mean nothing.
        const isFiller = damaged.records.length === 60 && damaged.defects.length === 0;
        expect(damaged.defects.length > 0 || (isFiller && at % LOG_BLOCK_BYTES >= LOG_BLOCK_BYTES - 6)).toBe(
          true,
        );
        expect(damaged.defects.length > 0 || damaged.tornAt === whole.tornAt).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("finds every flipped bit in the header of the last record", () => {
    const last = payloads.at(-1) ?? new Uint8Array(0);
    // The last record is in two parts if a block ends inside it; its last part begins after the last block border.
    const size = Math.min(last.length, log.length % LOG_BLOCK_BYTES);
    for (let at = log.length - size - 7; at < log.length - size; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        expect(readLogFile(flipped(at, 1 << bit)).defects).toHaveLength(1);
      }
    }
  });

  test("goes on after damage in the next block", () => {
    const { records, defects } = readLogFile(flipped(1000, 1));
    expect(defects).toHaveLength(1);
    expect(isSame(records.at(-1), payloads.at(-1))).toBe(true);
  });
});

describe("encodeLogFile", () => {
  test("writes what LevelDB wrote, to the byte", () => {
    expect(isSame(encodeLogFile(payloads), log)).toBe(true);
  });

  test("writes what can be read, whatever the sizes", () => {
    const sizes = fc.array(fc.nat({ max: 3 * LOG_BLOCK_BYTES }), { maxLength: 8 });
    fc.assert(
      fc.property(sizes, (lengths) => {
        const records = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
        const read = readLogFile(encodeLogFile(records));
        expect(read).toMatchObject({ defects: [], tornAt: undefined });
        expect(read.records.length).toBe(records.length);
        expect(read.records.every((record, index) => isSame(record, records[index]))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
