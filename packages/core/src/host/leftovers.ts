/**
 * What a mesh got by rejoins that were broken off, and knows by no log and no note. A replica that moves there knows what has
 * become of it: where it had such a write, and has nothing of its key any more, the write was deleted, and the delete
 * forgotten. An offer names the keys that are there and cannot tell; so the successor states it, which has both.
 */
import type { ReplicaId } from "../ids.ts";
import type { Entry } from "../entry.ts";
import { commonTimestamp } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import { branchMeant } from "../session/branches.ts";
import { type Branches, isCovered } from "../session/coverage.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";

/** What a replica that moves into another mesh had. */
export interface Had {
  /** All of this, … */
  readonly seen: VersionVector;
  /** … and on these branches. */
  readonly branches: Branches;
}

/** Of a replica of a mesh, what is asked here. */
type OfMesh = Pick<Replica, "vector" | "members">;

/** Whether the mesh may have such writes of what the replica had: mostly no rejoin was ever broken off. */
export function mayHaveLeftovers({ vector, members }: OfMesh, seen: VersionVector): boolean {
  for (const [origin, offered] of members.branches) {
    const timestamp = Math.min(offered.timestamp, seen.get(origin));
    if (timestamp > 0 && !isCovered({ origin, timestamp }, vector, members, ALL_BRANCHES)) return true;
  }
  return false;
}

/**
 * The puts of an entry that are such writes. What the mesh knows by a note was offered whole, and is not touched; and of
 * the rest it would take for known, once this rejoin has left its note, all that the replica had, whether it is there or not.
 * Nor are puts with deadlines: they may be gone since these have passed, by a clock that was wrong.
 */
export function leftoversOf({ winner, siblings }: Entry, mesh: OfMesh, had: Had): WriteRecord[] {
  return [winner, ...siblings].filter(
    ({ isDelete, adopted, expiresAtMs }) =>
      !isDelete && expiresAtMs === 0 && adopted !== undefined && isLeftover(adopted, mesh, had),
  );
}

/** Of a copied directory the name of an origin may mean another branch than the one that the replica had. */
function isLeftover(write: Version, { vector, members }: OfMesh, { seen, branches }: Had): boolean {
  const { origin, timestamp } = write;
  const held = branches.get(origin);
  if (held === undefined || !seen.covers(origin, timestamp)) return false;
  if (timestamp > commonTimestamp(held, branchMeant(origin, vector, members))) return false;
  return !isCovered(write, vector, members, ALL_BRANCHES);
}

const ALL_BRANCHES: Branches = new Map<ReplicaId, never>();
