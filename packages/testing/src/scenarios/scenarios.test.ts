import { describe, expect, it } from "vitest";
import { ALL_SCENARIOS, failureOf } from "./all-scenarios.ts";

describe("scenarios", () => {
  it.each(ALL_SCENARIOS.map(({ name }) => name))("%s", { timeout: 60_000 }, async (name) => {
    expect(await failureOf(name)).toBeUndefined();
  });

  it("have names of their own", () => {
    expect(new Set(ALL_SCENARIOS.map(({ name }) => name)).size).toBe(ALL_SCENARIOS.length);
  });
});
