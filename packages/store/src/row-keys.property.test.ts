import { type KeyText, type ReplicaId, type Timestamp } from "@meshkv/core";
import { keyTexts, replicaIds, timestamps } from "@meshkv/testing/pure";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  entryRow,
  expiryRow,
  generationOfRow,
  keyAfter,
  keyOfRow,
  logRow,
  parseExpiryRow,
  parseLogRow,
  parseSettledRow,
  settledRow,
  TABLE,
  tableEnd,
  tableStart,
} from "./row-keys.ts";
import { RowScratch } from "./row-scratch.ts";

const generations = fc.integer({ min: 1, max: 0xffff_ffff });
/** Keys that are full of the bytes that escaping is about. */
const awkwardKeys = fc.oneof(
  keyTexts(6),
  fc
    .array(fc.constantFrom("\0", "\xff", "\x01", "a"), { maxLength: 5 })
    .map((all) => all.join("") as KeyText),
);

function order(a: number | string, b: number | string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function sign(value: number): number {
  return Math.sign(value);
}

function compareSettled(
  a: readonly [KeyText, Timestamp, ReplicaId],
  b: readonly [KeyText, Timestamp, ReplicaId],
): number {
  return order(a[0], b[0]) || order(a[1], b[1]) || order(a[2], b[2]);
}

test("rows of settled conflicts sort by key, timestamp and origin, and are read back", () => {
  const parts = fc.tuple(awkwardKeys, timestamps(), replicaIds());
  fc.assert(
    fc.property(parts, parts, generations, (a, b, generation) => {
      const rowA = settledRow(generation, ...a);
      const rowB = settledRow(generation, ...b);
      expect(sign(Buffer.compare(rowA, rowB))).toBe(compareSettled(a, b));
      const [key, timestamp, origin] = a;
      expect(parseSettledRow(rowA)).toEqual({ key, timestamp, origin });
    }),
  );
});

test("rows of deadlines sort by time and key, and are read back", () => {
  const parts = fc.tuple(fc.maxSafeNat(), awkwardKeys);
  fc.assert(
    fc.property(parts, parts, generations, (a, b, generation) => {
      const expected = order(a[0], b[0]) || order(a[1], b[1]);
      expect(sign(Buffer.compare(expiryRow(generation, ...a), expiryRow(generation, ...b)))).toBe(expected);
      expect(parseExpiryRow(expiryRow(generation, ...a))).toEqual({ expiresAtMs: a[0], key: a[1] });
    }),
  );
});

test("rows of logs sort by origin and timestamp, and are read back", () => {
  const parts = fc.tuple(replicaIds(), timestamps());
  fc.assert(
    fc.property(parts, parts, generations, (a, b, generation) => {
      const expected = order(a[0], b[0]) || order(a[1], b[1]);
      expect(sign(Buffer.compare(logRow(generation, ...a), logRow(generation, ...b)))).toBe(expected);
      expect(parseLogRow(logRow(generation, ...a))).toEqual({ origin: a[0], timestamp: a[1] });
    }),
  );
});

test("rows of entries lie in their table, sort by key, and have nothing between a key and the next one", () => {
  fc.assert(
    fc.property(awkwardKeys, awkwardKeys, generations, (a, b, generation) => {
      const row = entryRow(generation, a);
      expect(sign(Buffer.compare(row, entryRow(generation, b)))).toBe(order(a, b));
      expect(Buffer.compare(row, tableStart(generation, TABLE.entry))).toBeGreaterThanOrEqual(0);
      expect(Buffer.compare(row, tableEnd(generation, TABLE.entry))).toBe(-1);
      expect(keyOfRow(row)).toBe(a);
      expect(generationOfRow(row)).toBe(generation);
      expect(b > a && b < keyAfter(a)).toBe(false);
    }),
  );
});

test("a row is the same where another was written before", () => {
  const { allocate } = new RowScratch();
  allocate(4096).fill(0xee);
  fc.assert(
    fc.property(awkwardKeys, timestamps(), replicaIds(), (key, timestamp, origin) => {
      expect(settledRow(1, key, timestamp, origin, allocate)).toEqual(settledRow(1, key, timestamp, origin));
      expect(entryRow(1, key, allocate)).toEqual(entryRow(1, key));
    }),
  );
});

test("an array of every size is given out, and that of a small size again", () => {
  const { allocate } = new RowScratch();
  for (const size of [0, 1, 10, 4096, 4097, 40_000, 65_536, 100_000]) {
    const first = allocate(size).fill(7);
    expect(first).toHaveLength(size);
    const second = allocate(size);
    expect(second).toHaveLength(size);
    expect(second === first).toBe(size <= 4096);
  }
});
