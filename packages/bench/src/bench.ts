import { median, spread } from "./statistics.ts";

/** How much is measured. */
export interface Scale {
  /** Whether loads are run that no target is judged by: lists, mixed loads, more ways of driving other servers. */
  readonly isWhole: boolean;
  /** Rounds of the throughput loads; each load runs once a round, in turn. */
  readonly rounds: number;
  /** Seconds of one load in one round, and of the warm-up of a unary one. */
  readonly seconds: number;
  readonly warmSeconds: number;
  /** Keys of the tables that throughput is measured on. */
  readonly keys: number;
  /** Writes per second while delays are measured. */
  readonly delayRate: number;
  readonly delaySeconds: number;
  readonly catchUpRecords: number;
  readonly bootstrapKeys: number;
  readonly watchers: number;
  /** Keys of the tables that are compared when growth is measured, from the smallest to the largest. */
  readonly growth: readonly [small: number, ...larger: number[]];
  /** Runs at each size whose median counts. */
  readonly growthRuns: number;
  readonly linkMembers: number;
  /** Writes per second while a peer is stopped, and for how long; while all are well, for two minutes at most. */
  readonly stoppedRate: number;
  readonly stoppedSeconds: number;
  /** Keys of the table, operations per second, half of them sets, and seconds of the long steady load. */
  readonly enduranceKeys: number;
  readonly enduranceRate: number;
  readonly enduranceSeconds: number;
}

/** Runs every load once, to see that all work: too short for a figure to mean anything. */
export const SMOKE: Scale = {
  isWhole: true,
  rounds: 1,
  seconds: 1,
  warmSeconds: 0.5,
  keys: 1000,
  delayRate: 100,
  delaySeconds: 1,
  catchUpRecords: 1000,
  bootstrapKeys: 2000,
  watchers: 20,
  growth: [500, 1000],
  growthRuns: 1,
  linkMembers: 3,
  stoppedRate: 100,
  stoppedSeconds: 1,
  enduranceKeys: 500,
  enduranceRate: 200,
  enduranceSeconds: 2,
};

/** Under two minutes on a quiet machine. */
export const QUICK: Scale = {
  isWhole: false,
  rounds: 3,
  seconds: 1,
  warmSeconds: 0.3,
  keys: 20_000,
  delayRate: 5000,
  delaySeconds: 3,
  catchUpRecords: 50_000,
  bootstrapKeys: 50_000,
  watchers: 1000,
  growth: [10_000, 50_000],
  growthRuns: 2,
  linkMembers: 5,
  stoppedRate: 1000,
  stoppedSeconds: 2,
  enduranceKeys: 20_000,
  enduranceRate: 4000,
  enduranceSeconds: 3,
};

/** The scale that the targets are stated for. */
export const FULL: Scale = {
  isWhole: true,
  rounds: 5,
  seconds: 5,
  warmSeconds: 1,
  keys: 100_000,
  delayRate: 5000,
  delaySeconds: 30,
  catchUpRecords: 500_000,
  bootstrapKeys: 1_000_000,
  watchers: 1000,
  growth: [10_000, 1_000_000, 10_000_000],
  growthRuns: 5,
  linkMembers: 5,
  stoppedRate: 1000,
  stoppedSeconds: 600,
  enduranceKeys: 1_000_000,
  enduranceRate: 2000,
  enduranceSeconds: 3600,
};

/** One figure. */
export interface Measure {
  readonly name: string;
  readonly unit: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
  /** Greatest minus least round, as a share of the median. */
  readonly spread: number;
  /** What a reader has to know of it. */
  readonly note?: string;
}

/** Collects figures. */
export class Bench {
  readonly scale: Scale;
  /** A directory of this run alone. */
  readonly folder: string;
  /** What could not be measured, and why. */
  readonly failures: string[] = [];
  readonly #rounds = new Map<string, { readonly unit: string; readonly note: string; values: number[] }>();
  readonly #say: (text: string) => void;

  constructor(scale: Scale, folder: string, say: (text: string) => void) {
    this.scale = scale;
    this.folder = folder;
    this.#say = say;
  }

  /** Tells what is being done. */
  say(text: string): void {
    this.#say(text);
  }

  /** Remembers what could not be measured; the rest goes on. */
  fail(what: string, error: unknown): undefined {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.failures.push(`${what}: ${text}`);
    this.#say(`  ${what} FAILED: ${text}`);
  }

  /** Adds a round of a figure. */
  add(name: string, unit: string, value: number, note = ""): void {
    const known = this.#rounds.get(name) ?? { unit, note, values: [] };
    known.values.push(value);
    this.#rounds.set(name, known);
    this.#say(`  ${name}: ${formatNumber(value)} ${unit}`);
  }

  /** The median of a figure; undefined when it was not measured. */
  value(name: string): number | undefined {
    const known = this.#rounds.get(name);
    return known && median(known.values);
  }

  /** All figures in the order in which they came. */
  get measures(): readonly Measure[] {
    return Array.from(this.#rounds, ([name, { unit, note, values }]) => ({
      name,
      unit,
      value: median(values),
      rounds: values,
      spread: values.length > 1 ? spread(values) : 0,
      ...(note === "" ? {} : { note }),
    }));
  }
}

/** A figure with as many digits as it deserves. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
