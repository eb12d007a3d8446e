/** The short form of `npm run test:faults`: two rounds with kills, partitions, a paused, a damaged and a copied server. */
import process from "node:process";
import { expect, onTestFailed, test } from "vitest";
import { runFaults } from "./run.ts";

/** Its plan has what the head of this file says. */
const SEED = 59;
const ROUNDS = 2;

test("real servers under faults keep every promise", { timeout: 600_000 }, async () => {
  const lines: string[] = [];
  const summary = await runFaults({
    seed: SEED,
    servers: 3,
    rounds: ROUNDS,
    msMax: Number.POSITIVE_INFINITY,
    writesMax: Number.POSITIVE_INFINITY,
    roundMs: 4000,
    writesMin: 500,
    clients: 4,
    keys: 500,
    operationsPerSecond: 800,
    sessions: 2,
    tell: (line) => lines.push(line),
  });
  const { violations, bundle, faults, acknowledged, rounds, watchEvents, sessionSteps } = summary;
  onTestFailed(() => {
    process.stderr.write(`${lines.join("\n")}\neverything about it: ${bundle}\n`);
  });
  expect(violations).toEqual([]);
  expect(rounds).toBe(ROUNDS);
  expect(acknowledged).toBeGreaterThanOrEqual(1000);
  expect(watchEvents).toBeGreaterThan(100);
  expect(sessionSteps).toBeGreaterThan(0);
  expect(Object.keys(faults)).toEqual(
    expect.arrayContaining(["kill", "pause", "partition", "flip", "clone"]),
  );
});
