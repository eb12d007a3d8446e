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
import { alwaysWritten } from "../checkers/always-written.ts";
import { eventuallyEqual } from "../checkers/eventually-equal.ts";
import { eventuallyKept } from "../checkers/eventually-kept.ts";
import type { History, ServerState } from "../checkers/history.ts";
import { eventually } from "../processes/eventually.ts";
import { sameEverywhere } from "../processes/same-everywhere.ts";
import { Cluster, READY_MS_MAX, type Subject } from "./cluster.ts";
import { keepBundle } from "./bundle.ts";
import { Load } from "./load.ts";
import { Nemesis } from "./nemesis.ts";
import { type FaultKind, type PlannedRound, planRound } from "./plan.ts";
import { Recorder } from "./recorder.ts";

/** What a run is to be. */
export interface FaultRunOptions {
  readonly seed: number;
  readonly servers: number;
  readonly rounds: number;
  /** No round begins after so much time. */
  readonly msMax: number;
  readonly roundMs: number;
  readonly clients: number;
  readonly keys: number;
  readonly tell: (line: string) => void;
  /** Ends the run at once, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface FaultRunSummary {
  readonly seed: number;
  readonly servers: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly reads: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly violations: readonly string[];
  /** Where everything is kept that belongs to a violation. */
  readonly bundle: string | undefined;
}

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
        plan: run.plan,
      });
    }
  } finally {
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
  roundsDone = 0;
  plan: PlannedRound | undefined;

  constructor(cluster: Cluster, options: FaultRunOptions, tell: (line: string) => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#tell = tell;
    this.#nemesis = new Nemesis(cluster, tell);
    this.#load = new Load(cluster, this.#recorder, options);
  }

  get counts(): ReadonlyMap<FaultKind, number> {
    return this.#nemesis.counts;
  }

  get totals(): Recorder["totals"] {
    return this.#recorder.totals;
  }

  /** What the clients know of the last round. */
  get history(): History {
    return this.#recorder.history(this.#nemesis.destroyed?.name);
  }

  /** Resolves to the first violations; none when the time is up. */
  async rounds(endMs: number): Promise<readonly string[]> {
    const { subjects } = this.#cluster;
    await Promise.all(subjects.map((subject) => subject.start()));
    await this.#rest();
    while (this.roundsDone < this.#options.rounds && performance.now() < endMs) {
      this.plan = planRound(this.#options, this.roundsDone);
      this.#tell(`round ${this.roundsDone}`);
      const violations = await this.#round(this.plan);
      if (violations.length > 0) return violations;
      this.roundsDone += 1;
    }
    return [];
  }

  async #round(plan: PlannedRound): Promise<readonly string[]> {
    this.#load.start(plan.number);
    try {
      await this.#nemesis.run(plan);
    } catch (error) {
      return [`eventually-back: ${error instanceof Error ? error.message : String(error)}`];
    } finally {
      await this.#load.stop();
    }
    const fallen = this.#cluster.fallen.map(({ name }) => `always-alive: ${name} ended by itself`);
    if (fallen.length > 0) return fallen;
    let states: readonly ServerState[];
    try {
      states = await this.#rest();
    } catch (error) {
      const { writes, reads } = this.history;
      const known = [...alwaysHonestVersions({ writes, reads }), ...alwaysRising({ writes, reads })];
      return [`eventually-equal: ${error instanceof Error ? error.message : String(error)}`, ...known];
    }
    const violations = this.#judge(states);
    const [first] = states;
    if (violations.length === 0 && first !== undefined) this.#recorder.turn(first.entries);
    const { acknowledged, unknown } = this.totals;
    this.#tell(
      `at rest: ${first?.entries.size} keys; ${acknowledged} writes acknowledged, ${unknown} uncertain`,
    );
    return violations;
  }

  #judge(states: readonly ServerState[]): string[] {
    const { history } = this;
    return [
      ...alwaysHonestVersions(history),
      ...alwaysRising(history),
      ...alwaysWritten(history, states),
      ...eventuallyEqual(states),
      ...states.flatMap(({ entries }) => eventuallyKept(history, entries)),
    ];
  }

  /** Heals what is left, sees the guest off, and waits until nothing moves any more. */
  async #rest(): Promise<readonly ServerState[]> {
    const { network, subjects, guest } = this.#cluster;
    network.heal();
    const all = guest.isUp ? [...subjects, guest] : subjects;
    await this.#settle(all);
    if (guest.isUp) await this.#seeOff(guest);
    await this.#settle(subjects);
    return eventually("all states are read", () => Promise.all(subjects.map(stateOf)), READY_MS_MAX);
  }

  async #settle(subjects: readonly Subject[]): Promise<void> {
    const servers = subjects.map(({ process }) => process);
    await Promise.all(servers.map((server) => server.ready(READY_MS_MAX)));
    await sameEverywhere(servers, READY_MS_MAX);
    // A call that its client has given up may still be carried out.
    await sleep(200);
    await sameEverywhere(servers, READY_MS_MAX);
  }

  async #seeOff(guest: Subject): Promise<void> {
    guest.isOpen = false;
    const { replicaId } = await guest.process.ready(READY_MS_MAX);
    const [first] = this.#cluster.subjects;
    await eventually("the guest is removed", async () => {
      // By force: everything is everywhere, and one that was interrupted while it joined cannot be asked.
      await first?.process.client.removeMember(replicaId, true);
    });
    await guest.kill();
    await guest.wipe();
    guest.epoch += 1;
  }
}

async function stateOf({ name, process }: Subject): Promise<ServerState> {
  const [{ digest }, entries] = await Promise.all([process.client.status(), process.client.entries()]);
  const decoder = new TextDecoder();
  return {
    server: name,
    digest,
    entries: new Map(
      entries.map(({ key, value, version }) => [
        decoder.decode(key),
        { version, value: decoder.decode(value) },
      ]),
    ),
  };
}
