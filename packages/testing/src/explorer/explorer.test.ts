import { describe, expect, it } from "vitest";
import { ALL_BUGS } from "../planted/all-bugs.ts";
import type { Patch } from "../planted/source-graph.ts";
import { exploreAll } from "./explore-all.ts";
import { Hash } from "./hash.ts";
import { StateSet } from "./state-set.ts";

/** Distinct states of the short form; the long one is `npm run explore`. */
const STATES = 100_000;
/** Enough for every bug of the list below. */
const STATES_FOR_BUGS = 12_000;

function firstViolation(patches: readonly Patch[]): string | undefined {
  for (const { violation } of exploreAll(STATES_FOR_BUGS, patches))
    if (violation !== undefined) return violation;
  return undefined;
}

describe("the explorer", () => {
  it(`finds nothing amiss in ${STATES} states of small worlds`, { timeout: 900_000 }, () => {
    const all = [...exploreAll(STATES)];
    expect(
      all.flatMap(({ violation, path }) => (violation === undefined ? [] : [violation, ...path])),
    ).toEqual([]);
    expect(all.reduce((sum, { states }) => sum + states, 0)).toBeGreaterThanOrEqual(STATES);
  });

  it.each(["last-arrival-wins", "seen-losers-are-listed", "claims-before-durable"])(
    "notices %s",
    { timeout: 300_000 },
    (name) => {
      const bug = ALL_BUGS.find((known) => known.name === name);
      expect(firstViolation(bug?.patches ?? [])).toBeDefined();
    },
  );
});

describe("StateSet", () => {
  it("holds what was added, through its growth", () => {
    const set = new StateSet(4);
    const names = Array.from({ length: 1000 }, (_, index) => new Hash().number(index));
    expect(names.every((name) => set.add(name))).toBe(true);
    expect(names.some((name) => set.add(name))).toBe(false);
    expect(set.size).toBe(1000);
  });
});
