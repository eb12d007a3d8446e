/** Which writes of a rejoining replica the mesh has already (rule M2). Asked on both sides of an offer. */
import type { ReplicaId } from "../ids.ts";
import type { MemberSet, Succession } from "../member-set.ts";
import { commonTimestamp, isForked, laterPosition, type Position } from "../position.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";

/**
 * Where a write was held: positions tell on which branch of its origin's life it lies, where directories were copied.
 * Origins that are not named have one branch.
 */
export interface Branches {
  get(origin: ReplicaId): Position | undefined;
}

/** Whether a mesh that has `vector` surely holds, or held, the write. */
export function isCovered(
  write: Version,
  vector: VersionVector,
  members: MemberSet,
  branches: Branches,
): boolean {
  const { origin, timestamp } = write;
  const branch = branches.get(origin);
  const has = (held: VersionVector): boolean =>
    held.covers(origin, timestamp) &&
    (branch === undefined || timestamp <= commonTimestamp(branch, held.position(origin)));
  if (has(vector)) return true;
  for (const [, { succession }] of members.entries()) {
    if (succession === undefined || !has(succession.offered)) continue;
    // What was offered is in the adopter's log, or was there already, in whatever log: all of that must be here.
    if (hasTaken(vector, succession)) return true;
  }
  return false;
}

/** The branch that the name of an origin means here: that of its log, and beyond it the one that was offered first. */
export function branchMeant(origin: ReplicaId, vector: VersionVector, members: MemberSet): Position {
  const held = vector.position(origin);
  const offered = members.branches.get(origin);
  return offered === undefined || isForked(held, offered) ? held : laterPosition(held, offered);
}

/** Whether everything that the adopter had when it was done is here, and not on another branch of an origin's life. */
export function hasTaken(vector: VersionVector, { adopter, adoptedAt, held }: Succession): boolean {
  if (!vector.covers(adopter, adoptedAt) || !vector.includes(held)) return false;
  for (const [origin, position] of held.entries())
    if (isForked(vector.position(origin), position)) return false;
  return true;
}
