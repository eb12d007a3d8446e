import { describe, expect, it } from "vitest";
import { recoveryOf } from "./recovery.ts";

/** An answer every so many milliseconds. */
function answers(fromMs: number, toMs: number, everyMs: number): number[] {
  return Array.from({ length: (toMs - fromMs) / everyMs }, (_, index) => fromMs + index * everyMs);
}

describe("recovery", () => {
  it("is there at once when nothing changes", () => {
    expect(recoveryOf(answers(0, 6000, 1), 3000)).toEqual({ gapMs: 1, backMs: 0 });
  });

  it("takes as long as the answers stay away, and the window of which they fill four fifths", () => {
    const { gapMs, backMs } = recoveryOf([...answers(0, 3000, 1), ...answers(3700, 6000, 1)], 3000);
    expect(gapMs).toBe(700);
    expect(backMs).toBe(660);
  });

  it("is not there while there is less than four fifths, or nothing", () => {
    const half = [...answers(0, 3000, 1), ...answers(3000, 4000, 2), ...answers(4000, 6000, 1)];
    expect(recoveryOf(half, 3000)).toEqual({ gapMs: 2, backMs: 920 });
    const later = [...answers(0, 3300, 1), ...answers(3900, 6000, 1)];
    expect(recoveryOf(later, 3000)).toEqual({ gapMs: 601, backMs: 860 });
    expect(recoveryOf([...answers(0, 3000, 1), 5000], 3000)).toEqual({ gapMs: 2000, backMs: 2000 });
    expect(recoveryOf(answers(0, 3000, 1), 3000)).toEqual({ gapMs: 0, backMs: 0 });
  });
});
