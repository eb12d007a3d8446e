/**
 * A mesh of which nobody is left. A removal is final, and whoever knows that it was removed lets nobody in; so once the
 * last members of a mesh were removed, those that had been removed before would wait for each other for ever. Each of
 * them founds a mesh instead, and these meet like any two (rule M3): nothing that one of them has is lost.
 */
import type { ReplicaId, StartId } from "../ids.ts";
import type { Replica } from "../replica/replica.ts";
import { everythingIn } from "./handover.ts";

/** What founding needs of the host. */
export interface FoundingParts {
  readonly address: string;
  readonly randomId: () => string;
  /** Holds the replica's writes and links from now on. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly event: (name: string, details: Readonly<Record<string, string>>) => void;
}

/** Gives a replica a mesh of its own when nobody is left of the one that it was removed from. */
export class Founding {
  readonly #parts: FoundingParts;
  #stage: "none" | "emptying" | "written" = "none";

  constructor(parts: FoundingParts) {
    this.#parts = parts;
  }

  /**
   * Time has passed, or a group is durable. The identity changes where nothing is under way, in one group; until that is
   * durable nothing is written or told.
   */
  advance(replica: Replica, nowMs: number): void {
    const { address, randomId, freeze, thaw, event } = this.#parts;
    if (this.#stage === "none") {
      if (!isLeftAlone(replica)) return;
      this.#stage = "emptying";
      freeze();
    }
    if (replica.hasChanges || replica.isCommitting) return;
    if (this.#stage === "emptying") {
      this.#stage = "written";
      const predecessor = replica.id;
      foundAnew(replica, randomId() as ReplicaId, randomId() as StartId, address, nowMs);
      event("founded-anew", { replica: replica.id, predecessor });
    } else {
      this.#stage = "none";
      thaw();
    }
  }
}

/** Whether the replica was removed from its mesh, and knows of nobody who could let it in there again. */
function isLeftAlone({ id, members }: Replica): boolean {
  return members.isRemoved(id) && members.current().length === 0;
}

/** In place: the replica's own log goes on as that of an origin that was removed. */
function foundAnew(replica: Replica, id: ReplicaId, start: StartId, address: string, nowMs: number): void {
  const { id: predecessor, identity } = replica;
  const held = replica.vector.covered();
  const offered = everythingIn(held, replica.members);
  const mesh = { name: identity.mesh.name, createdAt: replica.clock.tick(nowMs), founder: id };
  replica.setIdentity({ ...identity, replicaId: id, mesh, starts: [] });
  replica.beginStart(start);
  const adoptedAt = replica.tick(nowMs);
  const note = { successor: id, adopter: id, adoptedAt, offered, held };
  const self = { removed: false, address, addressTimestamp: adoptedAt, succession: undefined };
  replica.setMembers(replica.members.without(predecessor, note).with(id, self));
}
