/**
 * Whether two tables hold the same, although writes go on (rule E1). Stretches of both are summed up and compared; where
 * the sums differ the keys are named, and a key that differs is looked at again until the question can be decided: the
 * difference counts only once each side's vector covers what the other side holds. By the definition of a vector each
 * side then has what the other has, or what beats it, so both must have the same.
 */
import type { Entry } from "../entry.ts";
import type { KeyText, ReplicaId } from "../ids.ts";
import type { RecordFields, WriteRecord } from "../record.ts";
import type { Timestamp } from "../timestamp.ts";
import type { Version } from "../version.ts";

/**
 * Whether a record counts in a comparison: what every replica still has. Tombstones and expired puts are forgotten here
 * sooner and there later; `deadlinesAfterMs` lies ahead of every clock, so that no deadline passes on one side only.
 */
export function isCompared(record: RecordFields, deadlinesAfterMs: number): boolean {
  return !record.isDelete && (record.expiresAtMs === 0 || record.expiresAtMs > deadlinesAfterMs);
}

/** What one side holds under a key. */
export interface HeldEntry {
  readonly key: KeyText;
  /** The winner's version; undefined when there is no entry at all. */
  readonly version: Version | undefined;
  /** The winner's checksum; 0 without an entry. */
  readonly checksum: number;
  /** {@link isCompared} of the winner. */
  readonly compared: boolean;
}

/** Describes what a table holds under a key. */
export function describeHeld(key: KeyText, entry: Entry | undefined, deadlinesAfterMs: number): HeldEntry {
  if (entry === undefined) return { key, version: undefined, checksum: 0, compared: false };
  return describeWinner(entry.winner, deadlinesAfterMs);
}

function describeWinner(winner: WriteRecord, deadlinesAfterMs: number): HeldEntry {
  const { key, timestamp, origin, checksum } = winner;
  return { key, version: { timestamp, origin }, checksum, compared: isCompared(winner, deadlinesAfterMs) };
}

/** Whether a reader of the compared part of both tables finds the same under the key. */
function isSame(here: HeldEntry, there: HeldEntry): boolean {
  if (!here.compared && !there.compared) return true;
  return (
    here.compared === there.compared && here.checksum === there.checksum && isVersion(here, there.version)
  );
}

/** Keys under which two lists differ; both ascending, and of compared entries only. */
export function differingKeys(here: readonly HeldEntry[], there: readonly HeldEntry[]): KeyText[] {
  const keys: KeyText[] = [];
  let [left, right] = [0, 0];
  for (;;) {
    const a = here[left];
    const b = there[right];
    if (a === undefined && b === undefined) return keys;
    if (b === undefined || (a !== undefined && a.key < b.key)) {
      if (a !== undefined) keys.push(a.key);
      left += 1;
    } else if (a === undefined || b.key < a.key) {
      keys.push(b.key);
      right += 1;
    } else {
      if (!isSame(a, b)) keys.push(a.key);
      left += 1;
      right += 1;
    }
  }
}

/** How much of an origin's writes a side had. */
type VectorOf = (origin: ReplicaId) => Timestamp;

/** What can be said of a key: writes may still be on their way. */
export type KeyVerdict = "same" | "different" | "unsettled";

/** What was seen of a key: here before the other side was asked, there, and here again after it had answered. */
export interface KeyLook {
  readonly before: HeldEntry;
  readonly there: HeldEntry;
  readonly after: HeldEntry;
}

/**
 * Judges a key. Each vector was read no later than the entry beside it (`after` here). That nothing has changed here while
 * the other side was asked excludes a tombstone that arrived and was forgotten in between.
 */
export function judgeKey(look: KeyLook, vectorHere: VectorOf, vectorThere: VectorOf): KeyVerdict {
  const { before, there, after } = look;
  if (isSame(after, there)) return "same";
  if (!isVersion(before, after.version) || before.checksum !== after.checksum) return "unsettled";
  const isKnownThere =
    after.version === undefined || vectorThere(after.version.origin) >= after.version.timestamp;
  const isKnownHere =
    there.version === undefined || vectorHere(there.version.origin) >= there.version.timestamp;
  return isKnownHere && isKnownThere ? "different" : "unsettled";
}

/**
 * Whether both sides have replaced what was found under the key at first: then nothing is left to compare, although a
 * key that is written all the time may never be met at rest.
 */
export function isReplaced(first: KeyLook, last: KeyLook): boolean {
  return !isVersion(last.after, first.after.version) && !isVersion(last.there, first.there.version);
}

function isVersion({ version }: HeldEntry, other: Version | undefined): boolean {
  return version?.timestamp === other?.timestamp && version?.origin === other?.origin;
}
