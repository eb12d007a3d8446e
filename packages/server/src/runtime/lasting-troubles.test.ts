import { expect, it } from "vitest";
import { LastingTroubles } from "./lasting-troubles.ts";

it("tells a trouble that lasts, and again much later, but none that passes", () => {
  const troubles = new LastingTroubles();
  const told: number[] = [];
  for (let nowMs = 1000; nowMs < 1_300_000; nowMs += 1000)
    if (troubles.isLoud("peer CODE", nowMs)) told.push(nowMs);
  expect(told).toEqual([6000, 606_000, 1_206_000]);
  expect(troubles.isLoud("other CODE", 1_300_000)).toBe(false);
  expect(troubles.isLoud("other CODE", 1_302_000)).toBe(false);
  expect(troubles.isLoud("other CODE", 1_400_000), "it had been over").toBe(false);
});
