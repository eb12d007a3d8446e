/** What a watcher is told, and what a merge means to one. Pure. */
import { conflictsOf, type Entry } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import { isSameWrite, type WriteRecord } from "../record.ts";

/** One change of one key. */
export interface WatchEvent {
  /**
   * `put` and `delete`: the key has a new winner, also where it has the old content under a new version. `expire`: the
   * winner's deadline has passed by the clock of the replica that tells. `conflict`: a concurrent put has lost.
   */
  readonly kind: "put" | "delete" | "expire" | "conflict";
  /** The key's state, of which the winner is told. */
  readonly entry: Entry;
  /** The loser of a conflict; else the put that was replaced, where that is known. */
  readonly previous: WriteRecord | undefined;
}

/** What a record did to its key. */
export interface MergeStep {
  /** The record that was merged. */
  readonly record: WriteRecord;
  /** The key's state before it; undefined when there was none. */
  readonly before: Entry | undefined;
  /** The key's state with it. */
  readonly after: Entry;
}

/** What is watched: one key, or all keys with a prefix (the empty one for every key). */
export interface WatchTarget {
  readonly kind: "key" | "prefix";
  readonly text: KeyText;
}

/** Whether the key is watched. */
export function isWatched(target: WatchTarget, key: KeyText): boolean {
  return target.kind === "key" ? key === target.text : key.startsWith(target.text);
}

/** The event of a key's winner. */
export function winnerEvent(entry: Entry, previous: WriteRecord | undefined): WatchEvent {
  return { kind: entry.winner.isDelete ? "delete" : "put", entry, previous };
}

/** The events of one merge: a new winner, then every put that has become a conflict by it. */
export function eventsOfStep({ before, after }: MergeStep): WatchEvent[] {
  const events: WatchEvent[] = [];
  const replaced = before?.winner;
  if (replaced !== after.winner) {
    events.push(winnerEvent(after, replaced?.isDelete === true ? undefined : replaced));
  }
  if (after.siblings.length === 0) return events;
  const known = before === undefined ? [] : conflictsOf(before);
  for (const loser of conflictsOf(after)) {
    if (!known.some((other) => other === loser || isSameWrite(other, loser)))
      events.push({ kind: "conflict", entry: after, previous: loser });
  }
  return events;
}

/** Rough size of an event in a message, in bytes. */
export function bytesOfEvent({ entry, previous }: WatchEvent, withPrevious: boolean): number {
  const { key, value } = entry.winner;
  const other = previous === undefined || !withPrevious ? 0 : key.length + previous.value.length + 80;
  return key.length + value.length + 120 + other;
}
