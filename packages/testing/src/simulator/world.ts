/** A whole world: machines, network, clients and faults of one seed, and how it ends. */
import { type HostConfig, InvariantError, PEERING_DEFAULTS, type WriteRecord } from "@meshkv/core";
import { ConcernProbes } from "./concern-probes.ts";
import { SimulatedDisk } from "./disk.ts";
import { Faults } from "./faults.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle/oracle.ts";
import { drawParameters, type WorldOptions, type WorldParameters } from "./parameters.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { SessionProbes } from "./session-probes.ts";
import { drawShape } from "./shapes.ts";
import { Shell, type Surroundings } from "./shell.ts";
import { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";
import { WatchProbes } from "./watch-probes.ts";
import { Workload } from "./workload.ts";

/** How a seed's run ended. */
export interface Outcome {
  readonly seed: number;
  readonly events: number;
  /** Equal for two runs of one seed. */
  readonly hash: string;
  readonly faults: ReadonlyMap<string, number>;
  /** What happened, and might have been left out. */
  readonly done: { readonly faults: number; readonly operations: number };
  /** The parameters that the seed drew. */
  readonly parameters: WorldParameters;
  /** undefined when every promise held. */
  readonly violation: string | undefined;
  readonly stack: string | undefined;
}

/** A world at rest that has not settled by then never will. */
const SETTLE_US_MAX = 180_000_000;
const EVENTS_MAX = 3_000_000;

export class World implements Surroundings {
  readonly parameters: WorldParameters;
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly network: Network;
  readonly observer: Oracle;
  readonly machines: Machine[] = [];
  readonly faults = new Map<string, number>();
  readonly probes: SessionProbes;
  readonly watches: WatchProbes;
  readonly concerns: ConcernProbes;
  readonly #workload: Workload;
  readonly #faults: Faults;
  readonly #eventsMax: number;
  readonly #skippedFaults: ReadonlySet<number>;
  readonly #skippedOperations: ReadonlySet<number>;
  /** Faults and operations so far, those that were left out included. */
  readonly done = { faults: 0, operations: 0 };
  #isActive = true;

  constructor(seed: number, options: WorldOptions = {}) {
    const { print } = options;
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
    this.random = new Random(seed);
    this.parameters = {
      ...drawParameters(new Random(seed, 1), new Random(seed, 4), options),
      ...options.plan?.parameters,
    };
    this.#skippedFaults = new Set(options.plan?.skippedFaults);
    this.#skippedOperations = new Set(options.plan?.skippedOperations);
    this.trace = new Trace(
      print === undefined ? undefined : (line) => print(`${this.scheduler.nowUs / 1000} ${line}`),
    );
    this.network = new Network(
      this.parameters,
      this.random,
      this.scheduler,
      this.trace,
      this.machines,
      new Random(seed, 5),
    );
    this.observer = new Oracle(this.parameters, this.trace, this.machines);
    this.probes = new SessionProbes(this.parameters, new Random(seed, 77), new Random(seed, 78));
    const { registry } = this.observer;
    this.probes.isBelowForgotten = (record) => registry.isBelowForgotten(record);
    this.probes.isLoweredBelow = (record, other) => registry.isLoweredBelow(record, other);
    this.probes.hadSeen = (later, earlier) => registry.hadSeen(later, earlier);
    this.probes.isAfter = (later, earlier) =>
      registry.hadSeen(later, earlier) ||
      registry.isForgotten(earlier) ||
      registry.isEndedByForgotten(registry.get(earlier));
    this.watches = new WatchProbes(this.parameters, new Random(seed, 79));
    this.concerns = new ConcernProbes(new Random(seed, 80), this.observer);
    this.#workload = new Workload(this.parameters, new Random(seed, 2));
    this.#faults = new Faults(this);
    for (let index = 0; index < this.parameters.machines; index += 1) this.addMachine();
    if (options.isWide === true) drawShape(new Random(seed, 3), this.network, this.machines);
  }

  /** Counts a fault by its kind. */
  count(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    this.trace.say(() => `fault: ${kind}`);
  }

  addMachine(): Machine {
    const index = this.machines.length;
    const { parameters } = this;
    const address = `m${index}:1`;
    const peers = Array.from({ length: parameters.machines }, (_, peer) => `m${peer}:1`).filter(
      (p) => p !== address,
    );
    const config: HostConfig = {
      ...PEERING_DEFAULTS,
      address,
      peers,
      claimBusyMs: parameters.claimBusyMs,
      claimIdleMs: parameters.claimIdleMs,
      hearsayMs: parameters.hearsayMs,
      historyMs: parameters.historyMs,
      historyBytes: 1e9,
      recentLogBytes: parameters.recentLogBytes,
      greetingTimeoutMs: 5000,
      joinLeaseMs: 20_000,
      conflictRetentionMs: parameters.conflictRetentionMs,
      rejoinPatienceMs: 10_000,
    };
    const machine = new Machine(
      index,
      address,
      new SimulatedDisk(parameters.usesBytes),
      config,
      this.scheduler,
    );
    this.machines.push(machine);
    return machine;
  }

  acknowledged(shell: Shell, records: readonly WriteRecord[]): void {
    this.observer.acknowledged(shell, records);
    this.probes.acknowledged(records, shell);
    if (this.parameters.hasConcerns) this.concerns.acknowledged(records, shell);
  }

  start(machine: Machine): void {
    if (machine.shell === undefined && !machine.isGone) machine.shell = new Shell(machine, this);
  }

  #operate(): void {
    const { operationUs } = this.parameters;
    this.scheduler.after(this.random.between(operationUs / 2, operationUs), () => {
      if (!this.#isActive) return;
      const ordinal = this.done.operations;
      this.done.operations += 1;
      if (!this.#skippedOperations.has(ordinal))
        this.#workload.act(this.machines, (records, shell) => this.probes.wrote(records, shell));
      this.probes.act(this.machines);
      this.watches.act(this.machines);
      if (this.parameters.hasConcerns) this.concerns.act(this.machines);
      this.#operate();
    });
  }

  #disturb(): void {
    const { faultUs } = this.parameters;
    if (faultUs === 0) return;
    this.scheduler.after(this.random.between(faultUs / 2, faultUs), () => {
      if (!this.#isActive) return;
      const ordinal = this.done.faults;
      this.done.faults += 1;
      if (!this.#skippedFaults.has(ordinal)) this.#faults.act();
      this.#disturb();
    });
  }

  /** Runs the world to its end. Throws what went wrong. */
  run(): void {
    for (const machine of this.machines) {
      this.scheduler.after(this.random.between(0, this.parameters.tickUs), () => this.start(machine));
    }
    this.#operate();
    this.#disturb();
    this.#runUntil(this.parameters.activeUs);
    this.#isActive = false;
    this.#heal();
    const endUs = this.scheduler.nowUs + SETTLE_US_MAX;
    let checkUs = this.scheduler.nowUs;
    let tidyUs = this.scheduler.nowUs + 5_000_000;
    for (;;) {
      if (this.trace.events > this.#eventsMax) throw new Violation("eventually-quiet", "too many events");
      this.scheduler.step();
      if (this.scheduler.nowUs < checkUs) continue;
      checkUs = this.scheduler.nowUs + 20_000;
      if (this.scheduler.nowUs > tidyUs) {
        tidyUs = this.scheduler.nowUs + 2_000_000;
        this.#removeDead();
      }
      const reason = this.observer.whyNotSettled();
      if (reason === undefined) break;
      if (this.scheduler.nowUs > endUs) throw new Violation("eventually-settled", reason);
    }
    this.observer.checkEnd();
    this.watches.finish(this.machines.filter(({ isGone }) => !isGone));
  }

  #runUntil(untilUs: number): void {
    while (this.scheduler.nowUs < untilUs && this.trace.events < this.#eventsMax) this.scheduler.step();
  }

  /** What an operator does about members whose directory is gone. */
  #removeDead(): void {
    const { outcasts } = this.parameters;
    if (outcasts === 0 && !["gone", "wipe", "restore", "clone"].some((kind) => this.faults.has(kind))) return;
    const left = this.machines.filter(({ isGone }) => !isGone);
    const living = new Set(
      left.flatMap(({ shell }) => [shell?.host.active.replica.id, shell?.host.successor?.replica.id]),
    );
    for (const { shell } of left) {
      const dead = shell?.host.active.replica.members.current().find((member) => !living.has(member));
      if (dead !== undefined) shell?.removeMember(dead, true);
    }
  }

  #heal(): void {
    this.trace.say(() => "heal");
    this.network.calm();
    for (const machine of this.machines) {
      machine.offsetMs = 0;
      machine.drift = 0;
      machine.fullUntilUs = 0;
    }
    for (const machine of this.machines) {
      this.start(machine);
      if (machine.isGone) this.network.bypass(machine);
    }
    this.#castOut();
  }

  /** The rest stays broken for good: it lives, and reaches the core no more. */
  #castOut(): void {
    const { outcasts, machines } = this.parameters;
    const out = this.machines.filter(({ index }) => index < machines && index >= machines - outcasts);
    for (const machine of out) {
      machine.isGone = true;
      for (const other of this.machines) if (!out.includes(other)) this.network.sever(machine, other);
    }
  }
}

/** Runs one seed and tells how it ended. */
export function runSeed(seed: number, options: WorldOptions = {}): Outcome {
  const world = new World(seed, options);
  let violation: string | undefined;
  let stack: string | undefined;
  try {
    world.run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    violation =
      error instanceof Violation
        ? error.message
        : `${error instanceof InvariantError ? "invariant" : "crash"}: ${error.message}`;
    stack = error.stack;
  }
  const { trace, faults, done, parameters } = world;
  return { seed, events: trace.events, hash: trace.hash, faults, done, parameters, violation, stack };
}
