import { describe, expect, it } from "vitest";
import { median, quantile, randomFrom, spread, zipf } from "./statistics.ts";

describe("statistics", () => {
  it("takes medians, quantiles and spreads", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(samples, 0.5)).toBe(50);
    expect(quantile(samples, 0.99)).toBe(99);
    expect(quantile(samples, 1)).toBe(100);
    expect(quantile([7], 0.01)).toBe(7);
    expect(spread([8, 10, 12])).toBeCloseTo(0.4);
  });

  it("draws the same numbers from one seed, and small ones more often by Zipf's law", () => {
    const draw = (): number[] => Array.from({ length: 5 }, randomFrom(7));
    expect(draw()).toEqual(draw());
    const next = zipf(1000, randomFrom(1));
    const counts = new Map<number, number>();
    for (let index = 0; index < 20_000; index += 1) {
      const number = next();
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    expect(Math.max(...counts.keys())).toBeLessThan(1000);
    // 1 / H(1000) is about 0.13.
    expect((counts.get(0) ?? 0) / 20_000).toBeGreaterThan(0.1);
    expect(counts.get(0)).toBeGreaterThan((counts.get(99) ?? 0) * 20);
  });
});
