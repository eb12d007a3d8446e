/**
 * Up to where everything may be forgotten (rule F1): the least that any member is known to have of any member's log
 * (causal stability, Baquero et al.). Only grows; an old or relayed vector is safe, only late.
 */
import type { ReplicaId } from "../ids.ts";
import type { MemberSet } from "../member-set.ts";
import type { Timestamp } from "../timestamp.ts";
import type { VersionVector } from "../version-vector.ts";

/** What is known of another member, from itself or by hearsay. */
export interface MemberKnowledge {
  /** Durable there. */
  readonly vector: VersionVector;
  /** The removals that it has in its member set. */
  readonly removed: ReadonlySet<ReplicaId>;
}

/** How far the horizon may be, and who holds it there. */
export interface HorizonBound {
  /** Everything up to here may be forgotten. */
  readonly timestamp: Timestamp;
  /** The member that lacks most, or that was not heard longest. */
  readonly heldBy: ReplicaId;
}

/**
 * How far the horizon may be; undefined where nobody is a member.
 * @param knowledgeOf what is known of a member (this replica included); undefined stops the horizon at 0
 */
export function computeHorizon(
  members: MemberSet,
  knowledgeOf: (member: ReplicaId) => MemberKnowledge | undefined,
): HorizonBound | undefined {
  const current = members.current();
  const removed = members.removed();
  let bound: HorizonBound | undefined;
  const lower = (timestamp: Timestamp, heldBy: ReplicaId): void => {
    if (bound === undefined || timestamp < bound.timestamp) bound = { timestamp, heldBy };
  };
  for (const member of current) {
    const known = knowledgeOf(member);
    if (known === undefined) return { timestamp: 0, heldBy: member };
    for (const origin of current) {
      const claim = known.vector.get(origin);
      // A member that has all that the origin is known to have told waits for the origin itself.
      lower(claim, claim >= (knowledgeOf(origin)?.vector.get(origin) ?? 0) ? origin : member);
    }
  }
  for (const origin of removed) {
    const held = settleRemoved(origin, current, knowledgeOf);
    if (held !== undefined) lower(held.timestamp, held.heldBy);
  }
  return bound;
}

/**
 * A removed origin counts until every member has the removal (from then on it takes nothing more from the removed
 * replica itself) and all claim the same of it.
 */
function settleRemoved(
  origin: ReplicaId,
  current: readonly ReplicaId[],
  knowledgeOf: (member: ReplicaId) => MemberKnowledge | undefined,
): HorizonBound | undefined {
  let least: HorizonBound | undefined;
  let differ = false;
  for (const member of current) {
    const known = knowledgeOf(member);
    if (known === undefined || !known.removed.has(origin)) return { timestamp: 0, heldBy: member };
    const claim = known.vector.get(origin);
    if (least !== undefined && claim !== least.timestamp) differ = true;
    if (least === undefined || claim < least.timestamp) least = { timestamp: claim, heldBy: member };
  }
  return differ ? least : undefined;
}

/** Up to where the log of one origin may be cut: what every member has of it, and never beyond the horizon (rule F3). */
export function computeFloor(
  origin: ReplicaId,
  horizon: Timestamp,
  members: MemberSet,
  knowledgeOf: (member: ReplicaId) => MemberKnowledge | undefined,
): Timestamp {
  let floor = horizon;
  for (const member of members.current()) {
    floor = Math.min(floor, knowledgeOf(member)?.vector.get(origin) ?? 0);
  }
  return floor;
}
