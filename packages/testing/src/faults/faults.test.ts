/** The short form of `npm run test:faults`: two rounds with kills, a partition, a paused, a damaged and a copied server. */
import process from "node:process";
import { expect, onTestFailed, test } from "vitest";
import { runFaults } from "./run.ts";

/** Its plan has what the head of this file says. */
const SEED = 9;
const ROUNDS = 2;

test("real servers under faults keep every promise", { timeout: 600_000 }, async () => {
  const lines: string[] = [];
  const { violations, bundle, faults, acknowledged, rounds } = await runFaults({
    seed: SEED,
    servers: 3,
    rounds: ROUNDS,
    msMax: Number.POSITIVE_INFINITY,
    roundMs: 8000,
    clients: 4,
    keys: 500,
    tell: (line) => lines.push(line),
  });
  onTestFailed(() => {
    process.stderr.write(`${lines.join("\n")}\neverything about it: ${bundle}\n`);
  });
  expect(violations).toEqual([]);
  expect(rounds).toBe(ROUNDS);
  expect(acknowledged).toBeGreaterThan(100);
  expect(Object.keys(faults)).toEqual(expect.arrayContaining(["partition", "flip", "clone"]));
});
