/** What a seed's world is like (swarm testing, Groce et al.): each seed draws its own sizes, rates and faults. */
import type { Random } from "./random.ts";

/** What can go wrong, or be done to a mesh. */
export const FAULT_KINDS = [
  "kill",
  "power",
  "cut",
  "stall",
  "part-one-way",
  "part-pair",
  "isolate",
  "bridge",
  "heal",
  "image",
  "restore",
  "clone",
  "clock-step",
  "remove",
  "gone",
  "join",
  "wipe",
  "fsync-fails",
  "disk-full",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** With these no disk is lost or put back, and nobody leaves: what was told to watchers and as durable stays true. */
const GENTLE_KINDS: readonly FaultKind[] = [
  "kill",
  "power",
  "cut",
  "stall",
  "part-one-way",
  "part-pair",
  "isolate",
  "bridge",
  "heal",
  "fsync-fails",
  "disk-full",
];
/** Kinds that came later: they are drawn apart, so that the worlds of seeds without them stay what they were. */
const LATER_KINDS: readonly FaultKind[] = ["fsync-fails", "disk-full"];

/** What is drawn when nothing else is asked for. */
export const DEFAULT_FAULT_KINDS: readonly FaultKind[] = [
  "kill",
  "power",
  "cut",
  "stall",
  "part-one-way",
  "part-pair",
  "isolate",
  "bridge",
  "heal",
  "fsync-fails",
  "disk-full",
];

/** How a seed is to be run. */
export interface WorldOptions {
  /** Where each event is told in words. */
  readonly print?: (line: string) => void;
  readonly faultKinds?: readonly FaultKind[];
  /** A short life, for tests that run on every change. */
  readonly isQuick?: boolean;
  /** Lines, stars and rings besides full meshes; clocks that drift, and some that are years ahead. */
  readonly isWide?: boolean;
  /** In some worlds clients watch, wait for several replicas, and a core of the machines outlives the rest. */
  readonly isPeopled?: boolean;
  /** A world that is not at rest after so many events never will be; 3 million. */
  readonly eventsMax?: number;
  readonly plan?: Plan;
}

/** What is left out of a seed's world, to find out what it takes to go wrong. */
export interface Plan {
  /** Ordinals of the faults that do not happen. */
  readonly skippedFaults: readonly number[];
  /** Ordinals of the clients' operations that do not happen. */
  readonly skippedOperations: readonly number[];
  /** What is not as the seed drew it. */
  readonly parameters: Partial<WorldParameters>;
}

export interface WorldParameters {
  readonly meshName: string;
  readonly machines: number;
  readonly keys: number;
  readonly delayUsMin: number;
  readonly delayUsMax: number;
  /** Probability that a message takes 10 to 1,000 times as long. */
  readonly stallChance: number;
  readonly windowBytes: number;
  readonly tickUs: number;
  readonly scanUsMin: number;
  readonly scanUsMax: number;
  readonly syncUsMin: number;
  readonly syncUsMax: number;
  /** Greatest page that a scan answers with. */
  readonly pageBytes: number;
  readonly usesBytes: boolean;
  /** Bytes of the latest records that are kept in memory for peers. */
  readonly recentLogBytes: number;
  readonly claimBusyMs: number;
  readonly claimIdleMs: number;
  readonly hearsayMs: number;
  readonly conflictRetentionMs: number;
  /** Mean time between client operations, over all machines. */
  readonly operationUs: number;
  readonly deleteChance: number;
  readonly deadlineChance: number;
  readonly batchChance: number;
  /** Mean time between faults, over the whole world; 0 for none. */
  readonly faultUs: number;
  /** How often each kind of fault is drawn, relative to the others; a kind that is absent never is. */
  readonly faultWeights: Readonly<Partial<Record<FaultKind, number>>>;
  /** How long clients and faults are at work. */
  readonly activeUs: number;
  /** Clients that watch; 0 in most worlds. */
  readonly watchers: number;
  /** How long logs are kept for watchers. */
  readonly historyMs: number;
  /** Clients wait for several replicas. */
  readonly hasConcerns: boolean;
  /** In the end this many machines, of those that were there first, stay cut off for good; the others must come to rest. */
  readonly outcasts: number;
}

/** Draws the world of a seed. */
export function drawParameters(random: Random, later: Random, options: WorldOptions): WorldParameters {
  const drawn = drawEarly(random, options);
  const kinds = options.faultKinds ?? DEFAULT_FAULT_KINDS;
  const faultWeights = { ...drawn.faultWeights, ...drawWeights(later, kinds, LATER_KINDS) };
  const isGentle = (Object.keys(faultWeights) as FaultKind[]).every((kind) => GENTLE_KINDS.includes(kind));
  const isPeopled = options.isPeopled === true && isGentle && later.chance(0.35);
  const hasOutcasts = options.isPeopled === true && drawn.machines > 2 && later.chance(0.15);
  return {
    ...drawn,
    faultWeights,
    watchers: isPeopled ? later.between(1, 3) : 0,
    historyMs: isPeopled ? later.pick([0, 500, 3000]) : 0,
    hasConcerns: isPeopled,
    outcasts: hasOutcasts ? later.between(1, Math.floor((drawn.machines - 1) / 2)) : 0,
  };
}

type Early = Omit<WorldParameters, "watchers" | "historyMs" | "hasConcerns" | "outcasts">;

function drawEarly(random: Random, options: WorldOptions): Early {
  const delayUsMin = random.logarithmic(100, 5000);
  return {
    meshName: "default",
    machines: random.chance(0.7) ? random.between(2, 3) : random.between(4, 7),
    keys: random.logarithmic(1, 50),
    delayUsMin,
    delayUsMax: delayUsMin * random.logarithmic(1, 50),
    stallChance: random.chance(0.5) ? random.float() * 0.01 : 0,
    windowBytes: random.logarithmic(200, 100_000),
    tickUs: random.logarithmic(20_000, 200_000),
    scanUsMin: 50,
    scanUsMax: random.logarithmic(100, 20_000),
    syncUsMin: 100,
    syncUsMax: random.logarithmic(200, 50_000),
    pageBytes: random.logarithmic(100, 65536),
    usesBytes: random.chance(0.2),
    claimBusyMs: random.logarithmic(50, 1000),
    claimIdleMs: random.logarithmic(1000, 10_000),
    hearsayMs: random.logarithmic(50, 1000),
    conflictRetentionMs: random.logarithmic(500, 20_000),
    operationUs: random.logarithmic(2000, 200_000),
    deleteChance: random.chance(0.8) ? random.float() * 0.6 : 0,
    deadlineChance: random.chance(0.5) ? random.float() * 0.5 : 0,
    batchChance: random.chance(0.5) ? random.float() * 0.5 : 0,
    faultUs: random.chance(0.15) ? 0 : random.logarithmic(20_000, 2_000_000),
    faultWeights: drawWeights(random, options.faultKinds ?? DEFAULT_FAULT_KINDS, EARLY_KINDS),
    activeUs: random.between(2_000_000, 10_000_000) / (options.isQuick === true ? 5 : 1),
    recentLogBytes: random.chance(0.4) ? 0 : random.logarithmic(500, 1_000_000),
  };
}

const EARLY_KINDS = FAULT_KINDS.filter((kind) => !LATER_KINDS.includes(kind));

/** About half of the kinds occur in a world, at rates of their own. */
function drawWeights(
  random: Random,
  kinds: readonly FaultKind[],
  among: readonly FaultKind[],
): Partial<Record<FaultKind, number>> {
  const weights: Partial<Record<FaultKind, number>> = {};
  for (const kind of among) {
    const weight = random.chance(0.5) ? random.float() : 0;
    if (weight > 0 && kinds.includes(kind)) weights[kind] = weight;
  }
  return weights;
}
