/**
 * Real servers under faults: rounds of trouble, after each of which everything is healed, comes to rest and is judged.
 * The plan of a seed is always the same; what the processes make of it is not.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { alwaysHonestVersions } from "../checkers/always-honest-versions.ts";
import { alwaysRising } from "../checkers/always-rising.ts";
import { alwaysSession } from "../checkers/always-session.ts";
import { alwaysWritten } from "../checkers/always-written.ts";
import { eventuallyEqual } from "../checkers/eventually-equal.ts";
import { eventuallyKept } from "../checkers/eventually-kept.ts";
import { eventuallyListed } from "../checkers/eventually-listed.ts";
import type { History, ServerState } from "../checkers/history.ts";
import { keepBundle } from "./bundle.ts";
import { Cluster, type Subject } from "./cluster.ts";
import { Duels } from "./duels.ts";
import { Load } from "./load.ts";
import { Nemesis } from "./nemesis.ts";
import { type FaultKind, type PlannedRound, planRound } from "./plan.ts";
import type { FaultRunOptions, FaultRunSummary } from "./run-summary.ts";
import { Recorder } from "./recorder.ts";
import { comeToRest, type Rest } from "./rest.ts";
import { Sessions } from "./sessions.ts";
import { Watchers } from "./watchers.ts";

const LOOK_MS = 50;

/** Runs rounds until the time is up, or a promise is broken. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunSummary> {
  const startMs = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "meshkv-faults-"));
  const cluster = await Cluster.make(folder, options.servers);
  const lines: string[] = [];
  const tell = (line: string): void => {
    const stamped = `${((performance.now() - startMs) / 1000).toFixed(1)} s: ${line}`;
    lines.push(stamped);
    options.tell(stamped);
  };
  const run = new Run(cluster, options, tell);
  let bundle: string | undefined;
  let violations: readonly string[] = [];
  try {
    violations = await untilAborted(run.rounds(startMs + options.msMax), options.signal);
    if (violations.length > 0) {
      await cluster.close();
      bundle = await keepBundle(cluster, {
        options,
        violations,
        lines,
        history: run.history,
        told: run.told,
        plan: run.plan,
      });
    }
  } finally {
    run.close();
    await cluster.close();
    await cluster.remove();
  }
  return {
    seed: options.seed,
    servers: options.servers,
    rounds: run.roundsDone,
    seconds: Math.round((performance.now() - startMs) / 1000),
    ...run.totals,
    faults: Object.fromEntries(run.counts),
    violations,
    bundle,
  };
}

/** The promise, or a rejection as soon as the signal aborts. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}

class Run {
  readonly #cluster: Cluster;
  readonly #options: FaultRunOptions;
  readonly #tell: (line: string) => void;
  readonly #recorder = new Recorder();
  readonly #nemesis: Nemesis;
  readonly #load: Load;
  readonly #sessions: Sessions;
  readonly #watchers: Watchers;
  readonly #duels: Duels;
  #conflicts = 0;
  roundsDone = 0;
  plan: PlannedRound | undefined;

  constructor(cluster: Cluster, options: FaultRunOptions, tell: (line: string) => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#tell = tell;
    const { seed, sessions } = options;
    const recorder = this.#recorder;
    const open = (): Subject[] => cluster.open.filter((subject) => this.#isFair(subject));
    this.#load = new Load(cluster, recorder, options);
    this.#sessions = new Sessions(recorder, { seed, sessions, open });
    this.#watchers = new Watchers({ seed, open, isGiven: (value) => recorder.isGiven(value) });
    this.#duels = new Duels(cluster, recorder);
    this.#nemesis = new Nemesis(cluster, tell, (one, isApart) =>
      this.#duels.fight(
        one,
        isApart,
        // Of two copies that were not told apart yet, the one's write can be taken for the other's.
        (subject) => this.#isFair(subject) && subject.place !== this.plan?.cloned,
      ),
    );
  }

  /** What a server tells cannot be destroyed any more in this round: before, the others need not know of it. */
  #isFair(subject: Subject): boolean {
    if (subject.place !== this.plan?.doomed) return true;
    return this.#nemesis.destroyed === subject && !subject.isBlind;
  }

  get counts(): ReadonlyMap<FaultKind, number> {
    return this.#nemesis.counts;
  }

  get totals(): Omit<
    FaultRunSummary,
    "seed" | "servers" | "rounds" | "seconds" | "faults" | "violations" | "bundle"
  > {
    const { steps, refusals } = this.#sessions.totals;
    const { events, resumes, tooOld, stuck } = this.#watchers.totals;
    return {
      ...this.#recorder.totals,
      sessionSteps: steps,
      sessionRefusals: refusals,
      watchEvents: events,
      watchResumes: resumes,
      watchTooOld: tooOld,
      watchStuck: stuck,
      duels: this.#duels.fought,
      conflicts: this.#conflicts,
    };
  }

  /** What the clients know of the last round. */
  get history(): History {
    return this.#recorder.history(this.#nemesis.destroyed);
  }

  /** What the watchers of the last round were told. */
  get told(): ReadonlyMap<string, readonly string[]> {
    return this.#watchers.told;
  }

  close(): void {
    this.#watchers.close();
  }

  /** Resolves to the first violations; none when the time is up. */
  async rounds(endMs: number): Promise<readonly string[]> {
    const { subjects } = this.#cluster;
    await Promise.all(subjects.map((subject) => subject.start()));
    let rest = await comeToRest(this.#cluster, this.#recorder, () => Promise.resolve());
    const { rounds, writesMax } = this.#options;
    const isOver = (): boolean =>
      this.roundsDone >= rounds || performance.now() >= endMs || this.totals.acknowledged >= writesMax;
    while (!isOver()) {
      this.plan = planRound(this.#options, this.roundsDone);
      this.#tell(`round ${this.roundsDone}`);
      const [before] = rest.states;
      const after = await this.#round(this.plan, before);
      if ("violations" in after) return after.violations;
      rest = after;
      this.roundsDone += 1;
    }
    return [];
  }

  async #round(
    plan: PlannedRound,
    before: ServerState | undefined,
  ): Promise<Rest | { readonly violations: readonly string[] }> {
    const { acknowledged } = this.totals;
    this.#nemesis.destroyed = undefined;
    this.#duels.start();
    this.#watchers.start(plan.number, before, this.#duels.restored);
    await this.#watchers.begun();
    this.#sessions.start(plan.number);
    this.#load.start(plan.number);
    const harm = this.#nemesis.run(plan).then(
      () => undefined,
      (error: unknown) => `eventually-back: ${messageOf(error)}`,
    );
    // A server that has to come back is not kept from it for ever by what is written meanwhile.
    await Promise.race([harm, sleep(plan.lengthMs)]);
    const { writesMin } = this.#options;
    while (this.totals.acknowledged - acknowledged < writesMin || this.#sessions.steps.length === 0)
      await sleep(LOOK_MS);
    await Promise.all([this.#load.stop(), this.#sessions.stop()]);
    const problem = await harm;
    await this.#watchers.stop();
    if (problem !== undefined) return { violations: [problem] };
    const source = plan.cloned === undefined ? undefined : this.#cluster.subjects[plan.cloned];
    if (source !== undefined) this.#recorder.uncertain([source.name, this.#cluster.guest.name]);
    const fallen = this.#cluster.fallen.map(({ name }) => `always-alive: ${name} ended by itself`);
    if (fallen.length > 0) return { violations: fallen };
    let rest: Rest;
    try {
      rest = await comeToRest(this.#cluster, this.#recorder, (mark) =>
        this.#watchers.catchUp(mark, plan.cloned !== undefined),
      );
    } catch (error) {
      const { history } = this;
      const known = [...alwaysHonestVersions(history), ...alwaysRising(history), ...this.#judgeSessions()];
      return { violations: [`eventually-equal: ${messageOf(error)}`, ...known] };
    }
    const violations = this.#judge(rest);
    if (violations.length > 0) return { violations };
    const [first] = rest.states;
    if (first !== undefined) this.#recorder.turn(first.entries);
    await this.#duels.restore();
    this.#conflicts += first?.conflicts.size ?? 0;
    const { unknown, watchEvents, sessionSteps } = this.totals;
    this.#tell(
      `at rest: ${first?.entries.size} keys, ${first?.conflicts.size} with conflicts, ${this.#duels.duels.length} duels; ` +
        `${this.totals.acknowledged} writes acknowledged, ${unknown} uncertain, ${watchEvents} events, ${sessionSteps} steps of sessions`,
    );
    return rest;
  }

  #judge({ states }: Rest): string[] {
    const { history } = this;
    const violations = [
      ...alwaysHonestVersions(history),
      ...alwaysRising(history),
      ...alwaysWritten(history, states),
      ...this.#judgeSessions(),
      ...eventuallyEqual(states),
      ...eventuallyListed(states, this.#duels.duels),
      ...states.flatMap(({ entries }) => eventuallyKept(history, entries)),
    ];
    const [first] = states;
    if (violations.length > 0 || first === undefined) return violations;
    return [...this.#watchers.judge(first, acknowledgedIn(history))];
  }

  #judgeSessions(): string[] {
    const { history } = this;
    const deletes = history.writes
      .filter(({ value, outcome }) => value === undefined && outcome !== "fail")
      .map(({ key, outcome, version }) => ({ key, version: outcome === "ok" ? version : undefined }));
    return alwaysSession(this.#sessions.steps, deletes, acknowledgedIn(history));
  }
}

/** Whether a version is one that a writer was told: others may be of records that a rejoin has adopted. */
function acknowledgedIn({ writes }: History): (version: string) => boolean {
  const known = new Set<string>();
  for (const { outcome, version } of writes) if (outcome === "ok") known.add(version);
  return (version) => known.has(version);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
