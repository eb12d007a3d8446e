import { timestamps } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EPOCH_MS, TICKS_PER_MS, TIMESTAMP_MAX, timestampFromMs, timestampToMs } from "./timestamp.ts";

const LAST_MS = timestampToMs(TIMESTAMP_MAX);

describe("timestamps", () => {
  it("begin at 2024-01-01 and last until 2093", () => {
    expect(new Date(EPOCH_MS).toISOString()).toBe("2024-01-01T00:00:00.000Z");
    expect(new Date(LAST_MS).getUTCFullYear()).toBe(2093);
    expect(timestampFromMs(EPOCH_MS)).toBe(0);
    expect(timestampFromMs(EPOCH_MS + 1)).toBe(TICKS_PER_MS);
  });

  it("name the millisecond in which they lie", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: EPOCH_MS, max: LAST_MS }),
        fc.nat({ max: TICKS_PER_MS - 1 }),
        (ms, tick) => {
          expect(timestampFromMs(ms)).toBe((ms - EPOCH_MS) * TICKS_PER_MS);
          expect(timestampToMs(timestampFromMs(ms) + tick)).toBe(ms);
        },
      ),
    );
  });

  it("are never before the first of their millisecond nor after its last", () => {
    fc.assert(
      fc.property(timestamps(), (timestamp) => {
        const first = timestampFromMs(timestampToMs(timestamp));
        expect(timestamp - first).toBeGreaterThanOrEqual(0);
        expect(timestamp - first).toBeLessThan(TICKS_PER_MS);
      }),
    );
  });

  it("stay in range for any wall clock, and never fall when it rises", () => {
    const wall = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: EPOCH_MS - 10, max: LAST_MS + 10 }));
    fc.assert(
      fc.property(wall, wall, (a, b) => {
        const [low, high] = [timestampFromMs(Math.min(a, b)), timestampFromMs(Math.max(a, b))];
        expect(Number.isSafeInteger(low) && Object.is(Math.abs(low), low)).toBe(true);
        expect(high).toBeGreaterThanOrEqual(low);
      }),
    );
  });
});
