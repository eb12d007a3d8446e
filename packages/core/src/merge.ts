/**
 * What a newly accepted record does to the state of its key (rules S4 and X1). Pure; the result depends on the set of
 * accepted records and not on the order of their arrival.
 */
import { type Context, contextCovers, ContextBuilder, EMPTY_CONTEXT } from "./context.ts";
import { conflictsOf, type Entry, NO_SIBLINGS } from "./entry.ts";
import type { ReplicaId } from "./ids.ts";
import { compareRecords, isSameWrite, type WriteRecord } from "./record.ts";
import type { Timestamp } from "./timestamp.ts";

/** Whether the writer of `a` had seen `b`, in the form in which it travels here or as its original. */
export function covers(a: WriteRecord, b: WriteRecord): boolean {
  if (a.context.length === 0) return false;
  if (contextCovers(a.context, b.origin, b.timestamp)) return true;
  return b.adopted !== undefined && contextCovers(a.context, b.adopted.origin, b.adopted.timestamp);
}

/** Merges a record into the state of its key. Returns the same object when nothing changes. */
export function mergeRecord(entry: Entry | undefined, record: WriteRecord): Entry {
  if (entry === undefined || isPlainSuccessor(entry, record))
    return { winner: record, siblings: NO_SIBLINGS };
  const all = [entry.winner, ...entry.siblings];
  const twin = all.find((known) => isSameWrite(known, record));
  if (twin !== undefined && compareRecords(twin, record) >= 0) return entry;
  const others = twin === undefined ? all : all.filter((known) => known !== twin);
  let winner = record;
  for (const known of others) if (compareRecords(known, winner) > 0) winner = known;
  const siblings: WriteRecord[] = [];
  for (const known of others) {
    if (known === winner || covers(record, known)) continue;
    // A raised winner may have won over a record that covers it (rule M2); beaten in turn, it is no conflict.
    if (known === entry.winner && others.some((other) => covers(other, known))) continue;
    siblings.push(known);
  }
  if (winner !== record && !others.some((known) => covers(known, record))) siblings.push(record);
  siblings.sort((a, b) => compareRecords(b, a));
  if (winner === entry.winner && sameRecords(siblings, entry.siblings)) return entry;
  return { winner, siblings: siblings.length === 0 ? NO_SIBLINGS : siblings };
}

/** The puts of a key that are listed as settled from now on (rule X2), since another record has come. */
export function settledBetween(before: Entry, record: WriteRecord, after: Entry): WriteRecord[] {
  const { winner } = before;
  // A raised winner that is said to be settled was none of the losers. What beats it had not seen it, so it can be restored.
  const overtaken = winner.isDelete || covers(record, winner) ? [] : [winner];
  return [...conflictsOf(before), ...overtaken].filter(
    (one) => one !== after.winner && !after.siblings.includes(one) && !isSameWrite(one, record),
  );
}

/** Whether the record was written over an entry that nobody contests, which is most of what happens. */
function isPlainSuccessor({ winner, siblings }: Entry, record: WriteRecord): boolean {
  return (
    siblings.length === 0 &&
    winner.adopted === undefined &&
    record.adopted === undefined &&
    compareRecords(record, winner) > 0 &&
    contextCovers(record.context, winner.origin, winner.timestamp)
  );
}

function sameRecords(a: readonly WriteRecord[], b: readonly WriteRecord[]): boolean {
  return a.length === b.length && a.every((record, index) => record === b[index]);
}

/** What a writer that sees this entry has seen of the key. */
export function contextOf(
  entry: Entry | undefined,
  horizon: Timestamp,
  horizonMembers: ReadonlySet<ReplicaId>,
): Context {
  if (entry === undefined) return EMPTY_CONTEXT;
  const { winner, siblings } = entry;
  if (siblings.length === 0 && winner.adopted === undefined && isSpokenFor(winner)) {
    return [{ origin: winner.origin, timestamp: winner.timestamp }];
  }
  const builder = new ContextBuilder();
  for (const record of [entry.winner, ...entry.siblings]) {
    builder.add(record.origin, record.timestamp);
    if (record.adopted !== undefined) builder.add(record.adopted.origin, record.adopted.timestamp);
    for (const seen of record.context) {
      if (record.timestamp > horizon || !horizonMembers.has(seen.origin))
        builder.add(seen.origin, seen.timestamp);
    }
  }
  return builder.build();
}

/** Whether to name a record is to name all that its writer had seen. */
function isSpokenFor({ context, origin, timestamp }: WriteRecord): boolean {
  if (context.length === 0) return true;
  const [seen] = context;
  return context.length === 1 && seen?.origin === origin && seen.timestamp <= timestamp;
}
