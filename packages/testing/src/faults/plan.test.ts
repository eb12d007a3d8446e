import { describe, expect, test } from "vitest";
import { DESTRUCTIVE_KINDS, planRound, RARE_KINDS } from "./plan.ts";

const OPTIONS = { seed: 3, servers: 4, roundMs: 30_000 };

describe("a plan", () => {
  test("is the same for the same seed, and another for each round", () => {
    expect(planRound(OPTIONS, 2)).toEqual(planRound(OPTIONS, 2));
    expect(planRound(OPTIONS, 2)).not.toEqual(planRound(OPTIONS, 3));
  });

  test("has kills, a partition and one rare fault in every round, each rare kind in turn", () => {
    const rare: string[] = [];
    for (let number = 0; number < RARE_KINDS.length; number += 1) {
      const { faults, lengthMs } = planRound(OPTIONS, number);
      const kinds = faults.map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === "kill").length).toBeGreaterThanOrEqual(2);
      expect(kinds).toContain("partition");
      rare.push(...kinds.filter((kind) => RARE_KINDS.includes(kind)));
      for (const { atMs, server } of faults) {
        expect(atMs).toBeLessThan(lengthMs);
        expect(server).toBeLessThan(OPTIONS.servers);
      }
    }
    expect(rare.toSorted()).toEqual(RARE_KINDS.toSorted());
  });

  test("says which directory is to be destroyed, and which is to be copied", () => {
    for (let number = 0; number < RARE_KINDS.length; number += 1) {
      const { faults, doomed, cloned } = planRound(OPTIONS, number);
      const destructive = faults.filter(({ kind }) => DESTRUCTIVE_KINDS.some((one) => one === kind));
      expect(destructive.map(({ server }) => server)).toEqual(doomed === undefined ? [] : [doomed]);
      const copied = faults.filter(({ kind }) => kind === "clone");
      expect(copied.map(({ server }) => server)).toEqual(cloned === undefined ? [] : [cloned]);
    }
  });
});
