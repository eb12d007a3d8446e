/**
 * What a watcher that reads the logs is told of a record, by what has become of the key since. Pure.
 *
 * The records of a key that still count are its winner and the siblings: what else was written, one of these has covered.
 * Played in the order of versions they make the same events as when they came: the winner is told as such when it is its
 * turn; of two others, the one that is beaten by what was told before, or by what comes now, is a conflict. What has been
 * covered, or does not win any more, is left out: what beats it is told in its turn.
 */
import { conflictsOf, type Entry } from "../entry.ts";
import { compareRecords, type WriteRecord } from "../record.ts";
import type { VersionVector } from "../version-vector.ts";
import { type WatchEvent, winnerEvent } from "./watch-event.ts";

/** What is told of a record, and what it is left out for. */
export interface Judgement {
  readonly events: readonly WatchEvent[];
  /** The winner that is told later instead: a watcher that goes on elsewhere must meet it there. */
  readonly awaited: WriteRecord | undefined;
}

const NOTHING: Judgement = { events: [], awaited: undefined };

/**
 * Judges a record that was not told yet.
 * @param told what was told before, records of the same stretch included
 */
export function judgeRecord(entry: Entry | undefined, record: WriteRecord, told: VersionVector): Judgement {
  if (entry === undefined) return NOTHING;
  const { winner, siblings } = entry;
  const isHere = (known: WriteRecord): boolean =>
    known.timestamp === record.timestamp && known.origin === record.origin;
  const isTold = (known: WriteRecord): boolean => told.covers(known.origin, known.timestamp);
  const all = siblings.length === 0 ? [winner] : [winner, ...siblings];
  const awaited = isHere(winner) || isTold(winner) ? undefined : winner;
  const own = all.find(isHere);
  if (own === undefined) return { events: [], awaited };
  const greatest = all.find((known) => known !== own && isTold(known));
  const events: WatchEvent[] = [];
  if (own === winner) events.push(winnerEvent(entry, undefined));
  if (greatest !== undefined) {
    const loser = compareRecords(greatest, own) > 0 ? own : greatest;
    if (conflictsOf(entry).includes(loser)) events.push({ kind: "conflict", entry, previous: loser });
  }
  return { events, awaited };
}
