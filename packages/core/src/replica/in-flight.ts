import type { ChangeSet } from "../change-set.ts";
import type { Digest } from "../digest.ts";
import type { MemberSet } from "../member-set.ts";
import type { VersionVector } from "../version-vector.ts";

/** A group on its way to the disk, and the state that is durable with it. */
export interface InFlight {
  readonly group: ChangeSet;
  readonly vector: VersionVector;
  readonly digest: Digest;
  readonly members: MemberSet;
}
