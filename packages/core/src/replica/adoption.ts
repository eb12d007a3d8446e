/** How a record of another log becomes one of this replica's own (rules M2 and F4). Pure. */
import type { Entry } from "../entry.ts";
import type { HybridClock } from "../hybrid-clock.ts";
import { CLOCK_DRIFT_MS_MAX } from "../limits.ts";
import { covers } from "../merge.ts";
import { isSameWrite, makeRecord, originalTimestamp, rankOf, type WriteRecord } from "../record.ts";
import { type Timestamp, timestampFromMs } from "../timestamp.ts";
import type { Version } from "../version.ts";

/** Whether the write is here already, under its own version or adopted. */
export function knowsWrite(entry: Entry | undefined, record: WriteRecord): boolean {
  if (entry === undefined) return false;
  return isSameWrite(entry.winner, record) || entry.siblings.some((sibling) => isSameWrite(sibling, record));
}

/** Whether an adoption of the write would bring nothing: it is here, or a write here has seen it. */
export function isOutdated(entry: Entry | undefined, record: WriteRecord): boolean {
  if (entry === undefined) return false;
  const known = [entry.winner, ...entry.siblings];
  return known.some((other) => isSameWrite(other, record) || covers(other, record));
}

/**
 * Records of one key that are offered together, those from a clock that ran ahead with their ranks lowered to the present
 * (rule C5): to one moment, which comes after all the others. So they compete among themselves as they did before.
 */
export function loweredToPresent(
  records: readonly WriteRecord[],
  clock: HybridClock,
  nowMs: number,
): readonly WriteRecord[] {
  const latest = timestampFromMs(nowMs + CLOCK_DRIFT_MS_MAX);
  if (records.every(({ timestamp }) => timestamp <= latest)) return records;
  const rankOffered = (record: WriteRecord): Timestamp => Math.min(rankOf(record), originalTimestamp(record));
  for (const record of records) if (rankOffered(record) <= latest) clock.observe(rankOffered(record));
  const present = clock.tick(nowMs);
  return records.map((record) => {
    const { timestamp, origin, checksum, adopted } = record;
    if (rankOf(record) <= present) return record;
    return {
      ...record,
      adopted: { raised: false, ...(adopted ?? { timestamp, origin, checksum }), rank: present },
    };
  });
}

/** Whether a forgotten tombstone may have beaten the record here and not elsewhere. */
export function mustRaise(entry: Entry | undefined, record: WriteRecord, horizon: Timestamp): boolean {
  if (record.isDelete) return false;
  if (entry === undefined) return true;
  const { winner } = entry;
  if (originalTimestamp(winner) > originalTimestamp(record) || rankOf(winner) > horizon) return false;
  return winner.isDelete || winner.adopted?.raised === true || hasForgettableDeadline(winner, horizon);
}

function hasForgettableDeadline(record: WriteRecord, horizon: Timestamp): boolean {
  return record.expiresAtMs > 0 && timestampFromMs(record.expiresAtMs) <= horizon;
}

/**
 * The records that adopting one makes, in order and as one batch: the adoption, and before it, if need be, a winner that
 * is stated again.
 * @param settled defined where a rejoining replica offers the record: what another mesh, or an earlier time, has raised is
 *   judged anew. The records that it knows to be settled: the batch goes on with what states that
 * @param nextVersion issues the adopter's versions
 */
export function adoptionsOf(
  entry: Entry | undefined,
  record: WriteRecord,
  horizon: Timestamp,
  settled: readonly WriteRecord[] | undefined,
  nextVersion: () => Version,
): WriteRecord[] {
  const isOffered = settled !== undefined;
  const moreFollows = isOffered && settled.length > 0;
  const ownRank = isOffered ? Math.min(rankOf(record), originalTimestamp(record)) : rankOf(record);
  if (mustRaise(entry, record, horizon) && horizon > ownRank) {
    return [adoptRecord(record, nextVersion(), horizon, true, moreFollows)];
  }
  const isRaised = !isOffered && record.adopted?.raised === true;
  const restated = winnerToRestate(entry, record, ownRank);
  if (restated === undefined) return [adoptRecord(record, nextVersion(), ownRank, isRaised, moreFollows)];
  const wasRaised = restated.adopted?.raised === true;
  return [
    adoptRecord(restated, nextVersion(), rankOf(restated), wasRaised, true),
    adoptRecord(record, nextVersion(), ownRank, isRaised, moreFollows),
  ];
}

/**
 * What beats the adopted put here may be forgotten elsewhere, and then nothing there would beat it: so a delete or a
 * deadline that wins travels before it.
 */
function winnerToRestate(
  entry: Entry | undefined,
  record: WriteRecord,
  rank: Timestamp,
): WriteRecord | undefined {
  if (entry === undefined || record.isDelete || rankOf(entry.winner) < rank) return undefined;
  return entry.winner.isDelete || entry.winner.expiresAtMs > 0 ? entry.winner : undefined;
}

/**
 * A raised write may win over one whose author had seen it, where that one arrived, or was adopted, under a lesser
 * horizon. The latest of the others is stated again at the winner's rank; of equals the later original wins, here and
 * everywhere.
 */
export function restateOvertaken(
  entry: Entry | undefined,
  nextVersion: () => Version,
): WriteRecord | undefined {
  if (entry?.winner.adopted?.raised !== true) return undefined;
  const { winner, siblings } = entry;
  if (!siblings.some((sibling) => covers(sibling, winner))) return undefined;
  const latest = siblings.reduce((a, b) => (originalTimestamp(b) > originalTimestamp(a) ? b : a));
  return adoptRecord(latest, nextVersion(), rankOf(winner), true, false);
}

/** The record under the adopter's version; it keeps its content and its original's name, and never competes above itself. */
function adoptRecord(
  record: WriteRecord,
  version: Version,
  rank: Timestamp,
  raised: boolean,
  moreFollows: boolean,
): WriteRecord {
  const original = record.adopted ?? record;
  return makeRecord({
    timestamp: version.timestamp,
    origin: version.origin,
    key: record.key,
    isDelete: record.isDelete,
    value: record.value,
    expiresAtMs: record.expiresAtMs,
    context: record.context,
    moreFollows,
    adopted: {
      timestamp: original.timestamp,
      origin: original.origin,
      checksum: original.checksum,
      rank: Math.min(rank, version.timestamp),
      raised,
    },
  });
}
