/** What an offer says beyond its records: which writes the replica that offers had seen, and knows to be settled. */
import type { ReplicaId } from "../ids.ts";
import type { Entry } from "../entry.ts";
import { covers } from "../merge.ts";
import type { WriteRecord } from "../record.ts";
import { mayBeSettledBy } from "../replica/settling.ts";
import type { Timestamp } from "../timestamp.ts";
import type { VersionVector } from "../version-vector.ts";
import type { StrayBranches } from "./branches.ts";

/**
 * The puts of an entry here that an offered entry of the same key tells to be settled: the replica that offers had them,
 * and has them no more. None where the records themselves say so.
 * @param offered the whole entry there, by names that mean one write each
 * @param seen what the replica had when its entry was read
 */
export function settledBy(
  entry: Entry | undefined,
  offered: readonly WriteRecord[],
  seen: VersionVector | undefined,
  strays: StrayBranches,
): WriteRecord[] {
  if (entry === undefined || seen === undefined) return [];
  const had = (origin: ReplicaId, timestamp: Timestamp): boolean =>
    timestamp <= Math.min(seen.get(origin), strays.get(origin)?.common ?? Number.POSITIVE_INFINITY);
  return [entry.winner, ...entry.siblings].filter((record) => {
    const { origin, timestamp, adopted, isDelete } = record;
    if (isDelete || offered.some((other) => covers(other, record)) || !mayBeSettledBy(offered, record))
      return false;
    return had(origin, timestamp) || (adopted !== undefined && had(adopted.origin, adopted.timestamp));
  });
}

/** The records of each key together, as they come in an offer. */
export function* byKey(records: readonly WriteRecord[]): Generator<readonly WriteRecord[]> {
  let from = 0;
  for (let index = 1; index <= records.length; index += 1) {
    if (records[index]?.key === records[from]?.key) continue;
    yield records.slice(from, index);
    from = index;
  }
}
