/** What is done to the servers, and when: drawn from a seed before anything runs, so that a run can be repeated. */
import { Random } from "../simulator/random.ts";

/** Faults that replace or damage what a server has on its disk: at most one server suffers them in one round. */
export const DESTRUCTIVE_KINDS = ["flip", "restore"] as const;
/** Everything that can happen in a round. */
export const FAULT_KINDS = [
  "kill",
  "pause",
  "partition",
  "slow",
  "clock",
  "full-disk",
  "roll",
  "join",
  "clone",
  ...DESTRUCTIVE_KINDS,
] as const;

/** A kind of fault. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** In each round happens one of these, besides the {@link SURE_KINDS}. */
export const RARE_KINDS: readonly FaultKind[] = ["roll", "join", "clone", ...DESTRUCTIVE_KINDS];

/** What happens in every round, over and over in this order, each within a time of its own. */
const SURE_KINDS: readonly FaultKind[] = ["kill", "partition"];
const SURE_EVERY_MS = 3000;

/** Which links are left of a mesh. */
export type PartitionShape = "isolated" | "mute" | "halves" | "bridge" | "ring" | "chain";

const SHAPES: readonly PartitionShape[] = ["isolated", "mute", "halves", "bridge", "ring", "chain"];

/** One fault of a plan. */
export interface PlannedFault {
  readonly kind: FaultKind;
  /** From the beginning of the round. */
  readonly atMs: number;
  /** How long it lasts; for `restore`: how old the directory is that is put back. */
  readonly lastsMs: number;
  /** Place of the server that suffers it. */
  readonly server: number;
  readonly shape: PartitionShape;
  /** Milliseconds of delay or of a clock's step; for `flip`: a share of the file, in thousandths. */
  readonly amount: number;
}

/** What happens between two moments at which everything is healed and judged. */
export interface PlannedRound {
  readonly number: number;
  /** Place of the server whose directory is to be replaced or damaged; undefined: none is. */
  readonly doomed: number | undefined;
  /** Place of the server whose directory is copied, so that two live ones have one id until they are told apart. */
  readonly cloned: number | undefined;
  readonly lengthMs: number;
  readonly faults: readonly PlannedFault[];
}

/** How a plan is drawn. */
export interface PlanOptions {
  readonly seed: number;
  readonly servers: number;
  readonly roundMs: number;
}

/** Chances of the kinds that may come at any moment. */
const OFTEN: readonly (readonly [FaultKind, number])[] = [
  ["kill", 40],
  ["pause", 14],
  ["partition", 22],
  ["slow", 8],
  ["clock", 10],
  ["full-disk", 6],
];
const GAP_MS = { low: 4000, high: 20_000 };

/** Draws the plan of one round. */
export function planRound({ seed, servers, roundMs }: PlanOptions, number: number): PlannedRound {
  const random = new Random(seed, number);
  const faults: PlannedFault[] = [];
  const add = (kind: FaultKind, atMs: number): void => {
    faults.push({
      kind,
      atMs,
      lastsMs: lengthOf(random, kind, roundMs),
      server: random.below(servers),
      shape: random.pick(SHAPES),
      amount: amountOf(random, kind),
    });
  };
  // Each rare kind has its turn, in an order of the seed's own.
  const [rare = "flip"] = new Random(seed, 0x7fff_0000 + Math.floor(number / RARE_KINDS.length))
    .shuffle(RARE_KINDS)
    .slice(number % RARE_KINDS.length);
  add(rare, random.between(Math.floor(roundMs * 0.1), Math.floor(roundMs * 0.4)));
  const everyMs = Math.min(SURE_EVERY_MS, roundMs / 3);
  for (let sure = 0; sure * everyMs < roundMs; sure += 1)
    add(
      SURE_KINDS[sure % SURE_KINDS.length] ?? "kill",
      Math.min(roundMs * 0.9, everyMs * (sure + random.float())),
    );
  for (
    let atMs = random.between(200, 1500);
    atMs < roundMs;
    atMs += random.logarithmic(GAP_MS.low, GAP_MS.high)
  ) {
    add(pickWeighted(random), atMs);
  }
  faults.sort((a, b) => a.atMs - b.atMs);
  const doomed = faults.find(({ kind }) =>
    (DESTRUCTIVE_KINDS as readonly FaultKind[]).includes(kind),
  )?.server;
  const cloned = faults.find(({ kind }) => kind === "clone")?.server;
  return { number, doomed, cloned, lengthMs: roundMs, faults };
}

function pickWeighted(random: Random): FaultKind {
  let left = random.below(OFTEN.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [kind, weight] of OFTEN) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "kill";
}

function lengthOf(random: Random, kind: FaultKind, roundMs: number): number {
  switch (kind) {
    case "kill":
      return random.logarithmic(10, 2000);
    case "pause":
      return random.logarithmic(100, Math.min(10_000, roundMs * 0.6));
    case "restore":
      return Math.floor(Math.min(20_000, roundMs * 0.3));
    // Long enough that what is written meanwhile is acknowledged meanwhile, on a busy machine, too.
    case "partition":
      return random.logarithmic(1500, Math.min(8000, roundMs * 0.5));
    default:
      return random.logarithmic(700, 4000);
  }
}

function amountOf(random: Random, kind: FaultKind): number {
  if (kind === "slow") return random.logarithmic(5, 300);
  if (kind === "clock") return random.pick([-1, 1]) * random.logarithmic(100, 40_000);
  return random.below(990);
}
