/**
 * Causally possible histories of one key: a few writers read parts of each other's logs, write, delete and adopt, so
 * that every record carries the context that a real replica would have given it.
 */
import { EPOCH_MS, type ReplicaId, TICKS_PER_MS, type Timestamp, type WriteRecord } from "@meshkv/core";
import fc from "fast-check";
import { type HistoryContent, HistoryWriter } from "./history-writer.ts";
import { replicaId } from "./identifiers.ts";

/** What happened, and who knew what. */
export interface History {
  readonly writers: readonly HistoryWriter[];
  /** Every record of every log, in the order of writing within each. */
  readonly records: readonly WriteRecord[];
  /** By the name of a write, the names of the writes that its author had seen. */
  readonly seenBy: ReadonlyMap<string, ReadonlySet<string>>;
}

type StepKind = "write" | "read" | "adopt" | "skip" | "forget" | "settle";

/** One thing that happens. Every kind has every number, so that a step of one kind shrinks to another. */
interface Step {
  readonly kind: StepKind;
  readonly writer: number;
  readonly other: number;
  readonly content: HistoryContent;
  /** Bits: of which origins a reader takes records. */
  readonly origins: number;
  /** How many records before the last a reader stops; 0 for none. */
  readonly part: number;
  /** How many ticks a clock jumps: a few, or so many that deadlines pass. */
  readonly ticks: number;
  /** In percent of the adopter's clock: up to where it raises. */
  readonly horizon: number;
}

const WRITERS_MAX = 4;

const CONTENTS: readonly HistoryContent[] = [
  { value: 1, ttlMs: 0 },
  { value: 2, ttlMs: 0 },
  { value: 3, ttlMs: 0 },
  { value: undefined, ttlMs: 0 },
  { value: undefined, ttlMs: 0 },
];
const EXPIRING: HistoryContent = { value: 1, ttlMs: 1 };

/** How large a history may be, and what is in it. */
export interface HistoryOptions {
  readonly stepsMax?: number;
  /** Some puts expire within the history. */
  readonly deadlines?: boolean;
}

/** @param kinds each as often as it is to be drawn */
function stepLists(
  kinds: readonly StepKind[],
  { stepsMax = 40, deadlines = false }: HistoryOptions,
): fc.Arbitrary<Step[]> {
  const step = fc.record({
    kind: fc.constantFrom(...kinds),
    writer: fc.nat({ max: WRITERS_MAX - 1 }),
    other: fc.nat({ max: WRITERS_MAX - 1 }),
    content: fc.constantFrom(...CONTENTS, ...(deadlines ? [EXPIRING] : [])),
    origins: fc.integer({ min: 1, max: 2 ** WRITERS_MAX - 1 }),
    part: fc.constantFrom(0, 0, 0, 1, 2, 3),
    ticks: fc.constantFrom(1, 2, 5, TICKS_PER_MS / 2, TICKS_PER_MS),
    horizon: fc.constantFrom(0, 25, 50, 75, 90, 100),
  });
  return fc.array(step, { maxLength: stepsMax, size: "max" });
}

/** Reads, of each chosen origin, all that the other has, or (part 1 to 3) less. */
function readPart(
  reader: HistoryWriter,
  other: HistoryWriter,
  ids: readonly ReplicaId[],
  origins: number,
  part: number,
): void {
  ids.forEach((origin, index) => {
    if (origin === reader.id || (origins & (1 << index)) === 0) return;
    const end = other.positions.get(origin) ?? 0;
    const log = other.accepted.filter((record) => record.origin === origin).map(({ timestamp }) => timestamp);
    const upTo = part === 0 ? end : (log.sort((a, b) => a - b).at(-part - 1) ?? 0);
    reader.read(other, origin, upTo);
  });
}

/** A record on one line: `8@2 put 1 over 3@1, 7@2`. */
export function showRecord({
  timestamp,
  origin,
  isDelete,
  value,
  expiresAtMs,
  context,
  adopted,
}: WriteRecord): string {
  const name = (at: Timestamp, of: ReplicaId): string => `${at}@${Number.parseInt(of, 16)}`;
  const deadline = expiresAtMs > 0 ? ` until ${(expiresAtMs - EPOCH_MS) * TICKS_PER_MS}` : "";
  const content = isDelete ? "delete" : `put ${value.join()}${deadline}`;
  const over =
    context.length === 0 ? "" : ` over ${context.map((v) => name(v.timestamp, v.origin)).join(", ")}`;
  const rank = `${adopted?.rank}${adopted?.raised === true ? " raised" : ""}`;
  const source = adopted === undefined ? "" : ` = ${name(adopted.timestamp, adopted.origin)} at rank ${rank}`;
  return `${name(timestamp, origin)}${source} ${content}${over}`;
}

function historyOf(
  steps: readonly Step[],
  writers: readonly HistoryWriter[],
  seenBy: ReadonlyMap<string, ReadonlySet<string>>,
): History {
  const records = writers.flatMap(({ id, accepted }) => accepted.filter(({ origin }) => origin === id));
  const lines = [...steps.map((step) => JSON.stringify(step)), ...records.map(showRecord)];
  return Object.assign({ writers, records, seenBy }, { [fc.toStringMethod]: () => lines.join("\n") });
}

/**
 * Histories in which any writer may read or adopt from any other, nothing is forgotten and contexts are whole. Records
 * are raised to any horizon at or below the adopter's clock.
 */
export function histories(options: HistoryOptions = {}): fc.Arbitrary<History> {
  const kinds = ["write", "write", "write", "read", "read", "adopt", "adopt", "adopt", "skip"] as const;
  return fc.tuple(fc.integer({ min: 2, max: WRITERS_MAX }), stepLists(kinds, options)).map(([count, all]) => {
    const seenBy = new Map<string, ReadonlySet<string>>();
    const ids = Array.from({ length: count }, (_, index) => replicaId(index + 1));
    const writers = ids.map((id) => new HistoryWriter(id, seenBy));
    for (const step of all) {
      const writer = writers[step.writer % count];
      const other = writers[step.other % count];
      if (writer === undefined || other === undefined) continue;
      if (step.kind === "write") writer.write(step.content);
      else if (step.kind === "skip") writer.clock.observe(writer.clock.last + step.ticks);
      else if (step.kind === "read") readPart(writer, other, ids, step.origins, step.part);
      else writer.adoptFrom(other, Math.floor((writer.clock.last * step.horizon) / 100), 0);
    }
    return historyOf(all, writers, seenBy);
  });
}

/** The order of arrival that the numbers pick, with repetitions; in the end everything has arrived. */
export function arrivalsOf(records: readonly WriteRecord[], picks: readonly number[]): WriteRecord[] {
  const picked = picks.flatMap((pick) => records.slice(pick % Math.max(1, records.length)).slice(0, 1));
  const missing = records.filter((record) => !picked.includes(record));
  return [...picked, ...missing];
}

/** The least position that any of the members has of any of them: their true horizon (rule F1). */
function trueHorizon(members: readonly HistoryWriter[]): Timestamp {
  let least = Number.POSITIVE_INFINITY;
  for (const member of members) {
    for (const { id } of members) least = Math.min(least, member.positions.get(id) ?? 0);
  }
  return least;
}

/**
 * Histories of one mesh that forgets: two or three members share a horizon, cut their contexts at it and drop
 * tombstones below it. A guest from elsewhere, which reads nothing, has its writes adopted now and then, as long as they
 * are newer than the members' clocks: what returns below a forgotten delete is for the simulator to judge.
 */
export function forgettingHistories(options: HistoryOptions = {}): fc.Arbitrary<History> {
  const kinds = [
    "write",
    "write",
    "read",
    "read",
    "read",
    "adopt",
    "skip",
    "forget",
    "forget",
    "settle",
  ] as const;
  return fc
    .tuple(fc.integer({ min: 2, max: WRITERS_MAX - 1 }), stepLists(kinds, { stepsMax: 60, ...options }))
    .map(([count, all]) => {
      const seenBy = new Map<string, ReadonlySet<string>>();
      const ids = Array.from({ length: count }, (_, index) => replicaId(index + 1));
      const members = ids.map((id) => new HistoryWriter(id, seenBy));
      const guest = new HistoryWriter(replicaId(99), seenBy);
      for (const step of all) {
        const member = members[step.writer % count];
        const other = members[step.other % count];
        if (member === undefined || other === undefined) continue;
        const anyone = step.writer === WRITERS_MAX - 1 ? guest : member;
        const latest = Math.max(...members.map(({ clock }) => clock.last));
        guest.clock.observe(latest);
        if (step.kind === "write") anyone.write(step.content);
        else if (step.kind === "skip") anyone.clock.observe(anyone.clock.last + step.ticks);
        else if (step.kind === "adopt") {
          member.adoptFrom(guest, 0, latest);
        } else if (step.kind === "settle") settle(members);
        else if (step.kind === "read") {
          other.beat();
          readPart(member, other, ids, step.origins, step.part);
        } else {
          member.beat();
          member.horizon = Math.max(member.horizon, trueHorizon(members));
          member.horizonMembers = new Set(ids);
          member.forget();
        }
      }
      return historyOf(all, members, seenBy);
    });
}

/** Lets every writer read everything of everyone, in turn. */
export function settle(writers: readonly HistoryWriter[]): void {
  const ids = writers.map(({ id }) => id);
  for (const writer of writers) writer.beat();
  for (const writer of writers) {
    for (const other of writers) readPart(writer, other, ids, 2 ** ids.length - 1, 0);
  }
}
