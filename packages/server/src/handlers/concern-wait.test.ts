import { describe, expect, it } from "vitest";
import { concernWaitMs } from "./concern-wait.ts";

const { signal } = new AbortController();
const NOW_MS = 1_000_000;

function wait(timeoutMs: number | undefined, leftMs: number | undefined): number {
  return concernWaitMs(
    timeoutMs,
    { signal, deadlineMs: leftMs === undefined ? undefined : NOW_MS + leftMs },
    NOW_MS,
  );
}

describe("the wait for a concern", () => {
  it.each([
    ["5 s without a deadline", undefined, undefined, 5000],
    ["the timeout without a deadline", 60_000, undefined, 60_000],
    ["ends 10 % before a far deadline", undefined, 10_000, 9000],
    ["ends 50 ms before a near one", undefined, 200, 150],
    ["is over at once when the deadline is too near", undefined, 40, 0],
    ["is over at once when the deadline has passed", 1000, -5, 0],
    ["ends at the timeout when that is sooner", 100, 10_000, 100],
    ["ends before the deadline when that is sooner", 60_000, 10_000, 9000],
    ["may be nothing", 0, 10_000, 0],
    ["is never longer than a timer can be", 1e12, undefined, 2 ** 31 - 1],
  ])("%s", (_what, timeoutMs, leftMs, expected) => {
    expect(wait(timeoutMs, leftMs)).toBe(expected);
  });
});
