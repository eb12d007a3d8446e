/**
 * What a watcher that reads the logs is told of a record, by what has become of the key since. Pure.
 *
 * The records of a key that still count are its winner and the siblings: what else was written, one of these has covered.
 * Played in the order of versions, the winner is told as such when it is its turn; what has been covered, or does not win
 * any more, is left out: what beats it is told in its turn. A loser is told once its winner was, with it or in its own turn
 * after it. Not earlier: that of two losers the one was beaten by the other cannot be told once, since the other may have
 * been covered when the watcher goes on, and whatever covered it would beat the one again.
 */
import { conflictsOf, type Entry } from "../entry.ts";
import type { WriteRecord } from "../record.ts";
import { compareVersions } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";
import { type WatchEvent, winnerEvent } from "./watch-event.ts";

/** What is told of a record, and what it is left out for. */
export interface Judgement {
  readonly events: readonly WatchEvent[];
  /** The winner that is told later instead, and a loser that is told with it: a watcher must meet them where it goes on. */
  readonly awaited: readonly WriteRecord[];
}

const NOTHING: Judgement = { events: [], awaited: [] };

/**
 * Judges a record that was not told yet.
 * @param told what was told before, records of the same stretch included
 */
export function judgeRecord(entry: Entry | undefined, record: WriteRecord, told: VersionVector): Judgement {
  if (entry === undefined) return NOTHING;
  const { winner } = entry;
  const isTold = ({ origin, timestamp }: WriteRecord): boolean => told.covers(origin, timestamp);
  const conflict = (previous: WriteRecord): WatchEvent => ({ kind: "conflict", entry, previous });
  if (compareVersions(winner, record) === 0) {
    const losers = conflictsOf(entry).filter(isTold);
    return { events: [winnerEvent(entry, undefined), ...losers.map(conflict)], awaited: [] };
  }
  const loser = conflictsOf(entry).find((known) => compareVersions(known, record) === 0);
  const losers = loser === undefined ? [] : [loser];
  return isTold(winner)
    ? { events: losers.map(conflict), awaited: [] }
    : { events: [], awaited: [winner, ...losers] };
}
