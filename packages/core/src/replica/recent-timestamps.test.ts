import { describe, expect, it } from "vitest";
import { EPOCH_MS, timestampFromMs } from "../timestamp.ts";
import { RecentTimestamps } from "./recent-timestamps.ts";

const BASE_MS = EPOCH_MS + 1000;

/** Timestamps of one millisecond each, from `BASE_MS` on. */
function filled(count: number): RecentTimestamps {
  const recent = new RecentTimestamps();
  for (let index = 0; index < count; index += 1) recent.add(timestampFromMs(BASE_MS + index));
  return recent;
}

describe("RecentTimestamps", () => {
  it("sees no lag where nothing was written", () => {
    expect(new RecentTimestamps().lagBehind(0, BASE_MS)).toEqual({ ms: 0, records: 0 });
  });

  it("sees no lag in a peer that has the last record, or a later claim", () => {
    const recent = filled(3);
    expect(recent.lagBehind(timestampFromMs(BASE_MS + 2), BASE_MS + 500)).toEqual({ ms: 0, records: 0 });
    expect(recent.lagBehind(timestampFromMs(BASE_MS + 90), BASE_MS + 500)).toEqual({ ms: 0, records: 0 });
  });

  it("counts what a peer lacks, and the age of the oldest of it", () => {
    const recent = filled(10);
    expect(recent.lagBehind(0, BASE_MS + 500)).toEqual({ ms: 500, records: 10 });
    expect(recent.lagBehind(timestampFromMs(BASE_MS + 3), BASE_MS + 500)).toEqual({ ms: 496, records: 6 });
    expect(recent.lagBehind(timestampFromMs(BASE_MS + 3) + 1, BASE_MS + 500)).toEqual({
      ms: 496,
      records: 6,
    });
  });

  it("never sees a negative lag, even when the clock was set back", () => {
    expect(filled(1).lagBehind(0, BASE_MS - 60_000)).toEqual({ ms: 0, records: 1 });
  });

  it("says that it does not know the count when a peer lacks more than is remembered", () => {
    const recent = filled(30_000);
    const lag = recent.lagBehind(timestampFromMs(BASE_MS), BASE_MS + 40_000);
    expect(lag.records).toBeUndefined();
    expect(lag.ms).toBeGreaterThanOrEqual(10_000);
    expect(lag.ms).toBeLessThanOrEqual(40_000);
  });

  it("remembers at least 8,192 records exactly", () => {
    for (const count of [8192, 16_383, 16_384, 16_385, 24_576]) {
      const lacked = timestampFromMs(BASE_MS + count - 8193);
      expect(filled(count).lagBehind(lacked, BASE_MS + count)).toEqual({ ms: 8192, records: 8192 });
    }
  });
});
