import { describe, expect, it } from "vitest";
import { RetryBudget } from "./retry-budget.ts";

function takeAll(budget: RetryBudget, nowMs: number): number {
  let count = 0;
  while (budget.take(nowMs)) count += 1;
  return count;
}

describe("the budget of retries", () => {
  it("lets a reserve go at once, and no more", () => {
    const budget = new RetryBudget(0);
    expect(takeAll(budget, 0)).toBe(1000);
    expect(budget.take(0)).toBe(false);
  });

  it("earns a fifth of the calls, and ten a second", () => {
    const budget = new RetryBudget(0);
    takeAll(budget, 0);
    for (let calls = 0; calls < 101; calls += 1) budget.earn();
    expect(takeAll(budget, 0)).toBe(20);
    expect(takeAll(budget, 3000)).toBe(30);
  });

  it("never holds more than the reserve", () => {
    const budget = new RetryBudget(0);
    for (let calls = 0; calls < 100; calls += 1) budget.earn();
    expect(takeAll(budget, 1_000_000)).toBe(1000);
  });
});
