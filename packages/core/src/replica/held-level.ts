/** How many members are known to hold a write durably: what a write concern counts. */
import type { ReplicaId } from "../ids.ts";
import type { MemberSet } from "../member-set.ts";
import type { Timestamp } from "../timestamp.ts";
import type { MemberKnowledge } from "./horizon.ts";

/** Members that can hold anything: a joiner that has not finished holds nothing of its own, and may never finish. */
export function holdingMembers(members: MemberSet): readonly ReplicaId[] {
  return members.current().filter((id) => members.get(id)?.admittedBy === undefined);
}

/**
 * The timestamp up to which the records of an origin are durable on at least `count` of the members; 0 when so many are
 * not known to have any.
 * @param count at least 1
 */
export function heldLevel(
  members: readonly ReplicaId[],
  knowledgeOf: (member: ReplicaId) => MemberKnowledge | undefined,
  origin: ReplicaId,
  count: number,
): Timestamp {
  const held = members.map((id) => knowledgeOf(id)?.vector.get(origin) ?? 0);
  held.sort((a, b) => b - a);
  return held[count - 1] ?? 0;
}
