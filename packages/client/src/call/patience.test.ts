import { describe, expect, it } from "vitest";
import { Patience } from "./patience.ts";

/** From 1,000 to 11,000, with pauses of the greatest length. */
function tenSeconds(): Patience {
  return new Patience(1000, 11_000, () => 1);
}

describe("the patience of a call", () => {
  it("goes on at once within a round, and pauses longer after each, up to half a second", () => {
    expect(tenSeconds().pauseMs(undefined, 1, 1000)).toBe(0);
    expect([0, 1, 2, 3, 4, 5, 60].map((round) => tenSeconds().pauseMs(round, 1, 1000))).toEqual([
      20, 40, 80, 160, 320, 500, 500,
    ]);
    expect(new Patience(0, 10_000, () => 0).pauseMs(2, 1, 0)).toBe(40);
  });

  it("leaves the last try its time, and begins none without it", () => {
    expect(tenSeconds().pauseMs(9, 1, 10_600)).toBe(300);
    expect(tenSeconds().pauseMs(9, 1, 10_900)).toBe(0);
    expect(tenSeconds().pauseMs(9, 1, 10_901)).toBeUndefined();
    expect(tenSeconds().pauseMs(undefined, 1, 10_901)).toBeUndefined();
    expect(tenSeconds().pauseMs(undefined, 1, 12_000)).toBeUndefined();
  });

  it("leaves a replica that is far away more, and calls of little time a part of that", () => {
    expect(tenSeconds().pauseMs(9, 400, 10_400)).toBe(200);
    expect(tenSeconds().pauseMs(9, 400, 10_601)).toBeUndefined();
    expect(tenSeconds().pauseMs(9, 60_000, 6001)).toBeUndefined();
    const short = new Patience(0, 40, () => 1);
    expect(short.pauseMs(undefined, 1, 30)).toBe(0);
    expect(short.pauseMs(undefined, 1, 31)).toBeUndefined();
  });

  it("does not begin what comes much later than it was meant to", () => {
    expect(tenSeconds().isTooLate(1, 10_901)).toBe(false);
    expect(tenSeconds().isTooLate(1, 10_951)).toBe(true);
  });
});
