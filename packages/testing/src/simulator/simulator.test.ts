import { describe, expect, it } from "vitest";
import { type Outcome, runSeed } from "./world.ts";

const SEEDS = 60;

/** What to say of a run that broke a promise. */
function complaint({ seed, violation }: Outcome): string[] {
  return violation === undefined
    ? []
    : [`seed ${seed}: ${violation}; npm run simulate -- --quick --seed ${seed} --trace`];
}

describe("simulated worlds", () => {
  it("keep every promise", { timeout: 300_000 }, () => {
    const outcomes = Array.from({ length: SEEDS }, (_, index) => runSeed(index + 1, { isQuick: true }));
    expect(outcomes.flatMap(complaint)).toEqual([]);
  });

  it("are the same to the byte when they run again", { timeout: 60_000 }, () => {
    const [first, second] = [runSeed(7, { isQuick: true }), runSeed(7, { isQuick: true })];
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
  });
});
