import { type Entry, type KeyText, makeRecord } from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key, record } from "../test/groups.ts";
import { EntryCache } from "./entry-cache.ts";

function entryOf(name: KeyText, timestamp: number, valueBytes = 10): Entry {
  return { winner: record({ timestamp, key: name, value: new Uint8Array(valueBytes) }), siblings: [] };
}

/** A text that is equal for equal entries: comparing the objects thousands of times takes long. */
function textOf(entry: Entry | null | undefined, unknown = "none"): string {
  if (entry === undefined) return unknown;
  return entry === null ? "none" : `${entry.winner.key} ${entry.winner.bytes.join()}`;
}

describe("EntryCache", () => {
  test("says nothing of a key that it does not know", () => {
    expect(new EntryCache(10_000).get(key("a"))).toBeUndefined();
  });

  test("remembers entries, and that there is none", () => {
    const cache = new EntryCache(10_000);
    const entry = entryOf(key("a"), 1);
    cache.set(key("a"), entry);
    cache.set(key("b"), undefined);
    expect(cache.get(key("a"))).toEqual(entry);
    expect(cache.get(key("b"))).toBeNull();
  });

  test("keeps what is asked for again and again, and lets go of the rest", () => {
    const cache = new EntryCache(20_000);
    cache.set(key("hot"), entryOf(key("hot"), 1));
    for (let index = 0; index < 400; index += 1) {
      cache.set(key(`cold ${index}`), entryOf(key(`cold ${index}`), index + 2));
      expect(cache.get(key("hot"))).toBeDefined();
    }
    expect(cache.get(key("cold 0"))).toBeUndefined();
    expect(cache.get(key("cold 399"))).toBeDefined();
  });

  test("keeps nothing that is larger than half a segment, nor what was there before it", () => {
    const cache = new EntryCache(10_000);
    cache.set(key("a"), entryOf(key("a"), 1, 100));
    expect(cache.get(key("a"))).toBeDefined();
    cache.set(key("a"), entryOf(key("a"), 2, 6000));
    expect(cache.get(key("a"))).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });

  test("a cached record keeps no larger buffer alive, and is the same record", () => {
    const made = record({ timestamp: 3, key: key("a") });
    const frame = new Uint8Array(64 * 1024);
    frame.set(made.bytes, 100);
    const bytes = frame.subarray(100, 100 + made.bytes.length);
    const view = { ...made, bytes, value: bytes.subarray(bytes.length - made.value.length) };
    const cache = new EntryCache(10_000);
    cache.set(key("a"), { winner: view, siblings: [] });
    const kept = cache.get(key("a"));
    expect(kept).toEqual({ winner: made, siblings: [] });
    expect(kept?.winner.bytes.buffer.byteLength).toBeLessThanOrEqual(4096);
    expect(kept?.winner.value.buffer).toBe(kept?.winner.bytes.buffer);
  });

  test("never says what is not so, and stays within its bound", () => {
    const names = fc.constantFrom("a", "b", "c", "d", "e").map(key);
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom("set", "absent", "delete", "get"),
        name: names,
        size: fc.nat({ max: 2000 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const cache = new EntryCache(8000);
        const truth = new Map<KeyText, Entry | null>();
        all.forEach(({ kind, name, size }, index) => {
          if (kind === "set") {
            const entry = {
              winner: makeRecord(record({ timestamp: index + 1, key: name, value: new Uint8Array(size) })),
              siblings: [],
            };
            truth.set(name, entry);
            cache.set(name, entry);
          } else if (kind === "absent") {
            truth.set(name, null);
            cache.set(name, undefined);
          } else if (kind === "delete") {
            truth.delete(name);
            cache.delete(name);
          }
          const found = cache.get(name);
          expect([undefined, truth.get(name)]).toContainEqual(found);
          expect(cache.bytes).toBeLessThanOrEqual(cache.allocatedBytes);
          expect(cache.allocatedBytes).toBeLessThanOrEqual(8000);
          expect(cache.bytes).toBeGreaterThanOrEqual(0);
        });
        for (const name of truth.keys()) cache.delete(name);
        expect(cache.bytes).toBe(0);
      }),
    );
  });

  test("says what was set last, while its memory is used over and over", () => {
    const draws = fc.record({ seed: fc.nat(), names: fc.integer({ min: 20, max: 600 }) });
    fc.assert(
      fc.property(draws, ({ seed, names }) => {
        const cache = new EntryCache(20_000);
        const truth = new Map<KeyText, Entry>();
        let state = seed;
        const below = (bound: number): number => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
          return (state >>> 8) % bound;
        };
        for (let step = 1; step <= 2000; step += 1) {
          const name = key(`name ${below(names)}`);
          const found = cache.get(name);
          expect(["unknown", textOf(truth.get(name))]).toContain(textOf(found, "unknown"));
          if (below(3) === 0) continue;
          const entry = entryOf(name, step, below(80));
          truth.set(name, entry);
          cache.set(name, entry);
          // However full it is, what has just been set is there.
          expect(textOf(cache.get(name))).toBe(textOf(entry));
        }
        expect(cache.allocatedBytes).toBeLessThanOrEqual(20_000);
        for (const name of truth.keys()) cache.delete(name);
        expect(cache.bytes).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  test("keeps conflicts, and forgets everything when it is cleared", () => {
    const cache = new EntryCache(10_000);
    const name = key("a");
    const entry: Entry = {
      winner: record({ timestamp: 9, key: name }),
      siblings: [record({ timestamp: 5, key: name }), record({ timestamp: 3, key: name })],
    };
    cache.set(name, entry);
    expect(cache.get(name)).toEqual(entry);
    cache.clear();
    expect(cache.get(name)).toBeUndefined();
    expect(cache.bytes).toBe(0);
    cache.set(name, entry);
    expect(cache.get(name)).toEqual(entry);
  });
});
