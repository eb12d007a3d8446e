/** Which writes of a rejoining replica the mesh has already (rule M2). Asked on both sides of an offer. */
import { type ReplicaId, UNKNOWN_START } from "../ids.ts";
import type { MemberSet, Succession } from "../member-set.ts";
import { isForked, type Position } from "../position.ts";
import type { Start } from "../replica/state.ts";
import type { Timestamp } from "../timestamp.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";

/** Per origin up to where two branches are common; origins that are not named have one branch. */
export type Forks = ReadonlyMap<ReplicaId, Timestamp>;

/** Whether a mesh that has `vector` surely holds, or held, the write. */
export function isCovered(write: Version, vector: VersionVector, members: MemberSet, forks: Forks): boolean {
  const { origin, timestamp } = write;
  const fork = forks.get(origin);
  if (fork !== undefined) return timestamp <= Math.min(fork, vector.get(origin));
  if (vector.covers(origin, timestamp)) return true;
  for (const [, { succession }] of members.entries()) {
    if (succession === undefined || !succession.offered.covers(origin, timestamp)) continue;
    // What was offered is in the adopter's log, or was there already, in whatever log: all of that must be here.
    if (hasTaken(vector, succession)) return true;
  }
  return false;
}

/** Whether everything that the adopter had when it was done is here. */
export function hasTaken(vector: VersionVector, { adopter, adoptedAt, held }: Succession): boolean {
  return vector.covers(adopter, adoptedAt) && vector.includes(held);
}

/**
 * Finds the origins of which a replica and the mesh hold different branches.
 * @param starts the replica's own starts: they tell where a restored or copied directory left the common life
 */
export function findForks(
  self: ReplicaId,
  starts: readonly Start[],
  mine: VersionVector,
  theirs: VersionVector,
): Map<ReplicaId, Timestamp> {
  const forks = new Map<ReplicaId, Timestamp>();
  for (const [origin, position] of mine.entries()) {
    const held = theirs.position(origin);
    if (held.timestamp === 0) continue;
    if (origin === self) {
      const common = commonOwn(starts, held, position.timestamp);
      if (common < position.timestamp && common < held.timestamp) forks.set(origin, common);
    } else if (isForked(position, held)) {
      forks.set(origin, Math.min(position.recovered, held.recovered));
    }
  }
  return forks;
}

/** Up to where a held position of this replica's own log speaks of this directory's records. */
function commonOwn(starts: readonly Start[], held: Position, current: Timestamp): Timestamp {
  const index = starts.findIndex((start) => start.id === held.start);
  if (index >= 0) return Math.min(held.timestamp, starts[index + 1]?.recovered ?? current);
  if (held.start === UNKNOWN_START && held.timestamp <= current) return held.timestamp;
  // The mesh follows another branch. This one left it, at the earliest, when the last start ended that a peer has seen.
  for (let last = starts.length - 1; last >= 0; last -= 1) {
    if (starts[last]?.confirmed === true) return starts[last + 1]?.recovered ?? current;
  }
  return starts[0]?.recovered ?? 0;
}
