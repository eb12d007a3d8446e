/**
 * What a newly accepted record does to the state of its key (rules S4 and X1). Pure; the result depends on the set of
 * accepted records and not on the order of their arrival.
 */
import { type Context, contextCovers, ContextBuilder } from "./context.ts";
import type { Entry } from "./entry.ts";
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
  if (entry === undefined) return { winner: record, siblings: [] };
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
  return { winner, siblings };
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
  const builder = new ContextBuilder();
  if (entry === undefined) return builder.build();
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
