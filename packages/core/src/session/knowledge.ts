/** What this replica knows of the other members' durable state, from themselves or by hearsay. Not persisted. */
import type { ReplicaId } from "../ids.ts";
import { isForked } from "../position.ts";
import type { MemberKnowledge } from "../replica/horizon.ts";
import { VersionVector } from "../version-vector.ts";

interface Known {
  readonly vector: VersionVector;
  removed: ReadonlySet<ReplicaId>;
  /** Grows whenever something new was learnt, so that each session tells only what is news. */
  revision: number;
}

export class Knowledge {
  readonly #known = new Map<ReplicaId, Known>();

  get(member: ReplicaId): MemberKnowledge | undefined {
    return this.#known.get(member);
  }

  revisionOf(member: ReplicaId): number {
    return this.#known.get(member)?.revision ?? 0;
  }

  members(): IterableIterator<ReplicaId> {
    return this.#known.keys();
  }

  /**
   * A member says itself what it has: that is all. More may have been heard of it from a copy of its directory that has
   * given way since, and then nothing that its copy had would ever count as settled.
   */
  meet(member: ReplicaId, vector: VersionVector, removed: Iterable<ReplicaId>): void {
    const known = this.#known.get(member);
    if (known !== undefined && !isContinuedBy(known.vector, vector)) {
      const revision = known.revision + 1;
      this.#known.set(member, { vector: new VersionVector(), removed: known.removed, revision });
    }
    this.learn(member, vector, removed);
  }

  /** Takes in what a member has; `removed` is undefined when nothing was said of it. */
  learn(member: ReplicaId, vector: VersionVector, removed: Iterable<ReplicaId> | undefined): void {
    let known = this.#known.get(member);
    if (known === undefined) {
      known = { vector: new VersionVector(), removed: new Set(), revision: 0 };
      this.#known.set(member, known);
    }
    let news = false;
    for (const [origin, position] of vector.entries()) news = known.vector.advance(origin, position) || news;
    for (const [origin, position] of vector.named()) known.vector.name(origin, position);
    if (removed !== undefined) {
      const all = new Set([...known.removed, ...removed]);
      if (all.size > known.removed.size) {
        known.removed = all;
        news = true;
      }
    }
    if (news) known.revision += 1;
  }
}

/** Whether a vector has all that was known before, on the same branches. */
function isContinuedBy(known: VersionVector, vector: VersionVector): boolean {
  if (!vector.includes(known)) return false;
  for (const [origin, position] of known.branches())
    if (isForked(position, vector.meant(origin))) return false;
  return true;
}
