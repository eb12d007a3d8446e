/**
 * Makes a world that goes wrong small (delta debugging, Zeller): faults, clients' operations and parameters are left out
 * or made plain as long as the same promise is broken. Deterministic; the result is a scenario file.
 */
import type { Plan, WorldOptions, WorldParameters } from "../simulator/parameters.ts";
import { type Outcome, runSeed } from "../simulator/world.ts";

/** A world that once went wrong; `recorded.test.ts` runs it again on every change. */
export interface RecordedWorld {
  readonly seed: number;
  readonly isQuick: boolean;
  readonly faultKinds: NonNullable<WorldOptions["faultKinds"]> | undefined;
  readonly plan: Plan;
  /** What went wrong. */
  readonly violation: string;
  /** What happened, in words. */
  readonly story: readonly string[];
}

/** Runs of the world that shrinking may take. */
const RUNS_MAX = 400;
const EMPTY: Plan = { skippedFaults: [], skippedOperations: [], parameters: {} };

/** Values that make a world plainer, in the order in which they are tried. */
const PLAINER: readonly Partial<WorldParameters>[] = [
  { usesBytes: false },
  { stallChance: 0 },
  { batchChance: 0 },
  { deadlineChance: 0 },
  { deleteChance: 0 },
  { machines: 2 },
  { machines: 3 },
  { keys: 1 },
  { keys: 2 },
  { pageBytes: 65_536, windowBytes: 100_000 },
];

/** The name of the promise in a violation. */
function promiseOf(violation: string | undefined): string | undefined {
  return violation?.split(":")[0];
}

class Shrinker {
  readonly #seed: number;
  readonly #options: WorldOptions;
  readonly #promise: string | undefined;
  readonly #eventsMax: number;
  #runs = 0;
  plan: Plan = EMPTY;
  last: Outcome;

  constructor(seed: number, options: WorldOptions) {
    this.#seed = seed;
    this.#options = options;
    this.last = runSeed(seed, options);
    this.#promise = promiseOf(this.last.violation);
    this.#eventsMax = this.last.events * 2 + 1000;
  }

  /** Takes the plan over when the same promise is broken under it. */
  #tryPlan(plan: Plan): boolean {
    if (this.#runs >= RUNS_MAX) return false;
    this.#runs += 1;
    const outcome = runSeed(this.#seed, { ...this.#options, plan, eventsMax: this.#eventsMax });
    if (outcome.violation === undefined || promiseOf(outcome.violation) !== this.#promise) return false;
    this.plan = plan;
    this.last = outcome;
    return true;
  }

  /** Leaves out ever smaller stretches. */
  #leaveOut(kind: "skippedFaults" | "skippedOperations", count: () => number): void {
    for (let size = Math.ceil(count() / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < count(); from += size) {
        const known = new Set(this.plan[kind]);
        const stretch = Array.from({ length: size }, (_, index) => from + index);
        if (stretch.every((ordinal) => known.has(ordinal))) continue;
        const skipped = [...new Set([...known, ...stretch])].sort((a, b) => a - b);
        this.#tryPlan({ ...this.plan, [kind]: skipped });
      }
    }
  }

  run(): void {
    if (this.#promise === undefined) return;
    for (const plainer of PLAINER)
      this.#tryPlan({ ...this.plan, parameters: { ...this.plan.parameters, ...plainer } });
    for (let share = 2; share <= 16; share *= 2) {
      const activeUs = Math.round(this.last.parameters.activeUs / 2);
      if (!this.#tryPlan({ ...this.plan, parameters: { ...this.plan.parameters, activeUs } })) break;
    }
    this.#leaveOut("skippedFaults", () => this.last.done.faults);
    this.#leaveOut("skippedOperations", () => this.last.done.operations);
  }
}

/** The smallest world found that goes wrong in the same way; undefined when the seed's world does not. */
export function shrink(seed: number, options: WorldOptions): RecordedWorld | undefined {
  const shrinker = new Shrinker(seed, options);
  shrinker.run();
  const { violation } = shrinker.last;
  if (violation === undefined) return undefined;
  const { plan } = shrinker;
  const story: string[] = [];
  const print = (line: string): void => {
    if (/ writes | crashes|fault: | heal$|rejoin|remove/.test(line)) story.push(line);
  };
  runSeed(seed, { ...options, plan, print });
  const { isQuick = false, faultKinds } = options;
  return { seed, isQuick, faultKinds, plan, violation, story };
}

/** Shrinks a seed and prints the scenario file. */
export function shrinkTo(out: (line: string) => void, seed: number, options: WorldOptions): void {
  const recorded = shrink(seed, options);
  if (recorded === undefined) return out(`seed ${seed} keeps every promise`);
  out(JSON.stringify(recorded, undefined, 2));
}

/** Runs a recorded world again; undefined when every promise holds now. */
export function replay({ seed, isQuick, faultKinds, plan }: RecordedWorld): string | undefined {
  const options = faultKinds === undefined ? { isQuick, plan } : { isQuick, plan, faultKinds };
  return runSeed(seed, options).violation;
}
