import { describe, expect, it } from "vitest";
import { FAULT_KINDS, type WorldOptions } from "./parameters.ts";
import { type Outcome, runSeed } from "./world.ts";

const SEEDS = 60;
const WIDE_SEEDS = 10;

/** What to say of a run that broke a promise. */
function complaint({ seed, violation }: Outcome): string[] {
  return violation === undefined
    ? []
    : [`seed ${seed}: ${violation}; npm run simulate -- --quick --seed ${seed} --trace`];
}

/** Every kind of fault, on lines, stars and rings as well. */
const EVERYTHING: WorldOptions = { isQuick: true, isPeopled: true, isWide: true, faultKinds: FAULT_KINDS };

describe("simulated worlds", () => {
  it("keep every promise", { timeout: 300_000 }, () => {
    const outcomes = Array.from({ length: SEEDS }, (_, index) =>
      runSeed(index + 1, { isQuick: true, isPeopled: true }),
    );
    expect(outcomes.flatMap(complaint)).toEqual([]);
  });

  it("keep every promise with copied directories, wrong clocks and missing links", {
    timeout: 300_000,
  }, () => {
    const outcomes = Array.from({ length: WIDE_SEEDS }, (_, index) => runSeed(index + 1, EVERYTHING));
    expect(outcomes.flatMap(complaint)).toEqual([]);
  });

  it("are not blamed for what a source had when its successor had long been built", () => {
    expect(complaint(runSeed(200_703, { faultKinds: FAULT_KINDS }))).toEqual([]);
  });

  it("are the same to the byte when they run again", { timeout: 60_000 }, () => {
    const [first, second] = [runSeed(7, { isQuick: true }), runSeed(7, { isQuick: true })];
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
  });
});
