/**
 * `npm run simulate -- --seed N | --seeds A..B | --minutes M`, and `[--from N] [--faults a,b] [--quick] [--wide] [--trace]
 * [--jobs N] [--out FILE]`: one JSON line at the end; the same with revision and command in the file, now and then on the way.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { shrinkTo } from "../scenarios/shrink.ts";
import { type Part, partOf, runJobs } from "./jobs.ts";
import { FAULT_KINDS, type WorldOptions } from "./parameters.ts";
import { Tally } from "./tally.ts";
import { type Outcome, runSeed } from "./world.ts";

/** The summary is written this often while a long run goes on. */
const WRITE_MS = 30_000;
/** Every so many seeds one runs twice. */
const REPLAY_EVERY = 100;

const out = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

interface SeedWords {
  readonly seed?: string;
  readonly seeds?: string;
  readonly minutes?: string;
  readonly from?: string;
}

/** Seeds and minutes together end with what ends first. */
function* seedsOf({ seed: only, seeds, minutes, from }: SeedWords, part: Part): Generator<number> {
  if (only !== undefined) return yield Number(only);
  const [first, last] = (seeds ?? `${from ?? "1"}..${Number.MAX_SAFE_INTEGER}`).split("..").map(Number);
  const left = minutes ?? (seeds === undefined ? "1" : undefined);
  const endMs = left === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(left) * 60_000;
  for (let seed = first ?? 1; seed <= (last ?? first ?? 1) && Date.now() < endMs; seed += 1)
    if (seed % part.of === part.index) yield seed;
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

function parse() {
  return parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      from: { type: "string" },
      jobs: { type: "string", default: "1" },
      part: { type: "string" },
      trace: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      wide: { type: "boolean", default: false },
      faults: { type: "string" },
      show: { type: "string", default: "10" },
      stop: { type: "string", default: "1000000" },
      out: { type: "string" },
      shrink: { type: "boolean", default: false },
    },
  }).values;
}

type Words = ReturnType<typeof parse>;

/** Runs a seed; now and then twice, which must leave the same trace. */
function runOne(seed: number, options: WorldOptions, words: Words): { outcome: Outcome; isTwice: boolean } {
  const outcome = runSeed(seed, words.trace ? { ...options, print: out } : options);
  const isTwice = seed % REPLAY_EVERY === 0 || words.seed !== undefined;
  if (!isTwice) return { outcome, isTwice };
  const again = runSeed(seed, options);
  if (again.hash === outcome.hash) return { outcome, isTwice };
  const violation = `always-deterministic: ${outcome.hash} and ${again.hash}`;
  return { outcome: { ...outcome, violation }, isTwice };
}

function runAll(words: Words, options: WorldOptions, tally: Tally, write: () => void): void {
  let writtenMs = Date.now();
  for (const seed of seedsOf(words, partOf(words.part))) {
    const { outcome, isTwice } = runOne(seed, options, words);
    tally.add(outcome, isTwice);
    const { violation, stack } = outcome;
    if (violation !== undefined) {
      tally.addViolation(seed, violation);
      if (tally.violations <= Number(words.show)) {
        out(`seed ${seed}: ${violation}\n  replay: npm run simulate -- --seed ${seed} --trace`);
        if (words.seed !== undefined) out(stack ?? "");
      }
      if (tally.violations >= Number(words.stop)) return;
    }
    if (words.seed !== undefined) out(`seed ${seed}: hash ${outcome.hash}`);
    if (Date.now() - writtenMs >= WRITE_MS) {
      writtenMs = Date.now();
      write();
    }
  }
}

async function main(): Promise<void> {
  const words = parse();
  const options: WorldOptions = { isQuick: words.quick, isWide: words.wide, ...kindsOf(words.faults) };
  if (words.shrink) return shrinkTo(out, Number(words.seed ?? "1"), options);
  const tally = new Tally();
  const own = process.argv.slice(2);
  const command = `npm run simulate -- ${own.join(" ")}`;
  const started = words.out === undefined ? "" : revision();
  const write = (): void => {
    if (words.out === undefined) return;
    const text = { ...tally.summary(), revision: started, command };
    writeFileSync(words.out, `${JSON.stringify(text, undefined, 2)}\n`);
  };
  const jobs = Number(words.jobs);
  if (jobs > 1)
    await runJobs(jobs, own, words.out ?? join(tmpdir(), `meshkv-simulate-${process.pid}.json`), tally);
  else runAll(words, options, tally, write);
  write();
  for (const line of tally.complaints()) out(line);
  // The whole campaign's line is the last one.
  if (words.part === undefined) out(JSON.stringify(tally.summary()));
  if (tally.violations > 0) process.exitCode = 1;
}

await main();
