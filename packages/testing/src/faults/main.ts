/**
 * `npm run test:faults [-- --minutes M] [--seed N] [--servers 3..5] [--quiet]`: real servers under faults, judged round
 * by round. The last line is a summary as JSON; ends with 1 after a violation.
 */
import { parseArgs } from "node:util";
import { runFaults } from "./run.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    writes: { type: "string", default: "Infinity" },
    seed: { type: "string" },
    servers: { type: "string" },
    rounds: { type: "string", default: "1000000" },
    round: { type: "string", default: "60" },
    rate: { type: "string", default: "3000" },
    quiet: { type: "boolean", default: false },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => interruption.abort(new Error(`ended by ${signal}`)));
}
const summary = await runFaults({
  signal: interruption.signal,
  seed,
  servers: values.servers === undefined ? 3 + (seed % 3) : Number(values.servers),
  rounds: Number(values.rounds),
  msMax: Number(values.minutes) * 60_000,
  writesMax: Number(values.writes),
  writesMin: 1,
  roundMs: Number(values.round) * 1000,
  clients: 20,
  keys: 4000,
  operationsPerSecond: Number(values.rate),
  sessions: 8,
  tell: (line) => {
    if (!values.quiet) process.stdout.write(`${line}\n`);
  },
});
process.exitCode = summary.violations.length > 0 ? 1 : 0;
for (const violation of summary.violations.slice(0, 20)) process.stdout.write(`${violation}\n`);
if (summary.bundle !== undefined) {
  process.stdout.write(`everything about it: ${summary.bundle}\n`);
  process.stdout.write(`again: npm run test:faults -- --seed ${seed} --servers ${summary.servers}\n`);
}
process.stdout.write(`${JSON.stringify({ ...summary, violations: summary.violations.length })}\n`);
