/**
 * `npm run simulate -- --seed N | --seeds A..B | --minutes M`, and `[--from N] [--faults a,b] [--quick] [--wide] [--trace]
 * [--out FILE]`: one JSON line at the end; the same with revision and command in the file, now and then on the way.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { FAULT_KINDS, type WorldOptions } from "./parameters.ts";
import { shrinkTo } from "../scenarios/shrink.ts";
import { type Outcome, runSeed } from "./world.ts";

/** The summary is written this often while a long run goes on. */
const WRITE_MS = 30_000;

const out = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function* seedsOf(values: {
  seed?: string;
  seeds?: string;
  minutes?: string;
  from?: string;
}): Generator<number> {
  if (values.seed !== undefined) return yield Number(values.seed);
  if (values.seeds !== undefined) {
    const [first, last] = values.seeds.split("..").map(Number);
    for (let seed = first ?? 1; seed <= (last ?? first ?? 1); seed += 1) yield seed;
    return;
  }
  const endMs = Date.now() + Number(values.minutes ?? "1") * 60_000;
  for (let seed = Number(values.from ?? "1"); Date.now() < endMs; seed += 1) yield seed;
}

function kindsOf(names: string | undefined): Pick<WorldOptions, "faultKinds"> {
  if (names === undefined) return {};
  const wanted = names.split(",");
  return { faultKinds: FAULT_KINDS.filter((kind) => names === "all" || wanted.includes(kind)) };
}

/** The commit that runs, and whether the tree differs from it; "unknown" where there is no repository. */
function revision(): string {
  const git = (...words: string[]): string | undefined => {
    const { status, stdout } = spawnSync("git", words, { encoding: "utf8" });
    return status === 0 ? stdout.trim() : undefined;
  };
  const head = git("rev-parse", "HEAD");
  if (head === undefined) return "unknown";
  return git("status", "--porcelain", "--untracked-files=no") === "" ? head : `${head} with changes`;
}

function commandLine(): string {
  return process.argv.slice(2).join(" ");
}

function main(): void {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      from: { type: "string" },
      trace: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      wide: { type: "boolean", default: false },
      faults: { type: "string" },
      show: { type: "string", default: "10" },
      stop: { type: "string", default: "1000000" },
      out: { type: "string" },
      shrink: { type: "boolean", default: false },
    },
  });
  const options: WorldOptions = { isQuick: values.quick, isWide: values.wide, ...kindsOf(values.faults) };
  if (values.shrink) return shrinkTo(out, Number(values.seed ?? "1"), options);
  const startMs = Date.now();
  const faults: Record<string, number> = {};
  const checks: Record<string, number[]> = {};
  let [seeds, events, violations, twice] = [0, 0, 0, 0];
  const summary = (): Record<string, unknown> => {
    const seconds = (Date.now() - startMs) / 1000;
    const eventsPerSecond = Math.round(events / seconds);
    return {
      seeds,
      events,
      eventsPerSecond,
      seconds: Math.round(seconds),
      replayed: twice,
      faults,
      violations,
    };
  };
  const started = values.out === undefined ? "" : revision();
  const write = (): void => {
    if (values.out === undefined) return;
    const text = { ...summary(), revision: started, command: `npm run simulate -- ${commandLine()}` };
    writeFileSync(values.out, `${JSON.stringify(text, undefined, 2)}\n`);
  };
  let writtenMs = startMs;
  for (const seed of seedsOf(values)) {
    const outcome = runSeed(seed, values.trace ? { ...options, print: out } : options);
    seeds += 1;
    events += outcome.events;
    for (const [kind, count] of outcome.faults) faults[kind] = (faults[kind] ?? 0) + count;
    let { violation } = outcome;
    if (seed % 100 === 0 || values.seed !== undefined) {
      twice += 1;
      const again: Outcome = runSeed(seed, options);
      if (again.hash !== outcome.hash) violation = `always-deterministic: ${outcome.hash} and ${again.hash}`;
    }
    if (violation !== undefined) {
      violations += 1;
      const check = violation.slice(0, 70).replace(/[0-9a-f]{4,}/g, "#");
      (checks[check] ??= []).push(seed);
      if (violations <= Number(values.show)) {
        out(`seed ${seed}: ${violation}\n  replay: npm run simulate -- --seed ${seed} --trace`);
        if (values.seed !== undefined) out(outcome.stack ?? "");
      }
      if (violations >= Number(values.stop)) break;
    }
    if (values.seed !== undefined) out(`seed ${seed}: hash ${outcome.hash}`);
    if (Date.now() - writtenMs >= WRITE_MS) {
      writtenMs = Date.now();
      write();
    }
  }
  write();
  for (const [check, which] of Object.entries(checks))
    out(`${which.length} x ${check}: ${which.slice(0, 8).join(" ")}`);
  out(JSON.stringify(summary()));
  if (violations > 0) process.exitCode = 1;
}

main();
