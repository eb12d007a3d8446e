/** Which writes of a rejoining replica the mesh has already (rule M2). Asked on both sides of an offer. */
import type { ReplicaId } from "../ids.ts";
import type { MemberSet, Succession } from "../member-set.ts";
import { commonTimestamp, isForked, type Position } from "../position.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";
import { nameOfStart } from "./branches.ts";

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
  // Of several copies of one directory the note tells by process starts what they have offered.
  const name = branch && nameOfStart(origin, branch, timestamp);
  for (const [, { succession }] of members.entries()) {
    if (succession === undefined) continue;
    const { offered } = succession;
    if (!has(offered) && (name === undefined || !offered.covers(name, timestamp))) continue;
    // What was offered is in the adopter's log, or was there already, in whatever log: all of that must be here.
    if (hasTaken(vector, succession)) return true;
  }
  return false;
}

/** Whether everything that the adopter had when it was done is here, and not on another branch of an origin's life. */
export function hasTaken(vector: VersionVector, { adopter, adoptedAt, held }: Succession): boolean {
  if (!vector.covers(adopter, adoptedAt) || !vector.includes(held)) return false;
  for (const [origin, position] of held.entries())
    if (isForked(vector.position(origin), position)) return false;
  return true;
}
