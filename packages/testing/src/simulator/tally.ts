/** What a number of simulated worlds came to: counted seed by seed, and put together from several processes. */
import type { Outcome } from "./world.ts";

/** One line of figures. */
export interface Summary {
  readonly seeds: number;
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  /** Time of processors; that of all processes in sum. */
  readonly processorSeconds: number;
  /** Seeds that were run twice, to compare their traces. */
  readonly replayed: number;
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: number;
}

export class Tally {
  readonly #startMs = Date.now();
  readonly #startCpu = process.cpuUsage();
  readonly #faults: Record<string, number> = {};
  /** By what was broken, the seeds in which it was. */
  readonly #seedsOf = new Map<string, number[]>();
  #processorSeconds = 0;
  #seeds = 0;
  #events = 0;
  #replayed = 0;
  #violations = 0;

  get violations(): number {
    return this.#violations;
  }

  /** Counts a world; `isReplayed` when it ran twice. */
  add({ events, faults }: Outcome, isReplayed: boolean): void {
    this.#seeds += 1;
    this.#events += events;
    if (isReplayed) this.#replayed += 1;
    for (const [kind, count] of faults) this.#count(kind, count);
  }

  #count(kind: string, count: number): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + count;
  }

  addViolation(seed: number, violation: string): void {
    this.#violations += 1;
    const check = violation.slice(0, 70).replace(/[0-9a-f]{4,}/g, "#");
    const seeds = this.#seedsOf.get(check);
    if (seeds === undefined) this.#seedsOf.set(check, [seed]);
    else seeds.push(seed);
  }

  /** Takes in what another process has counted. */
  merge(other: Summary): void {
    this.#seeds += other.seeds;
    this.#events += other.events;
    this.#replayed += other.replayed;
    this.#violations += other.violations;
    this.#processorSeconds += other.processorSeconds;
    for (const [kind, count] of Object.entries(other.faults)) this.#count(kind, count);
  }

  /** Each thing that was broken, with the first seeds in which it was. */
  complaints(): string[] {
    return Array.from(
      this.#seedsOf,
      ([check, seeds]) => `${seeds.length} x ${check}: ${seeds.slice(0, 8).join(" ")}`,
    );
  }

  summary(): Summary {
    const seconds = (Date.now() - this.#startMs) / 1000;
    const { user, system } = process.cpuUsage(this.#startCpu);
    return {
      seeds: this.#seeds,
      events: this.#events,
      eventsPerSecond: Math.round(this.#events / seconds),
      seconds: Math.round(seconds),
      processorSeconds: Math.round(this.#processorSeconds + (user + system) / 1_000_000),
      replayed: this.#replayed,
      faults: this.#faults,
      violations: this.#violations,
    };
  }
}
