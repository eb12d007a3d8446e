/**
 * The serving half of bootstrap and rejoin (rules M1, M2): a member admits a new replica, lets it copy, and adopts the
 * writes of the replica that it replaces.
 */
import type { KeyText, ReplicaId } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import { ZERO_POSITION } from "../position.ts";
import { loweredToPresent } from "../replica/adoption.ts";
import type { Replica } from "../replica/replica.ts";
import type { WriteRecord } from "../record.ts";
import type { Version } from "../version.ts";
import {
  findStrays,
  namedBy,
  namedByContexts,
  renameStray,
  type StrayBranches,
  withCopies,
  withStrays,
} from "./branches.ts";
import { hasTaken, isCovered } from "./coverage.ts";
import type { Copy, CopySettled, Join, Offer } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { CopiedEntries, ReadAhead, Session } from "./session.ts";
import { byKey, settledBy } from "./settled.ts";

/** Size of one copied chunk. */
const CHUNK_BYTES = 4 * FRAME_BYTES_TARGET;

export class Source {
  readonly #replica: Replica;
  readonly #outbox: Outbox;
  /** Joiners that have not finished, and when each was last heard. */
  readonly #joiners = new Map<ReplicaId, number>();

  constructor(replica: Replica, outbox: Outbox) {
    this.#replica = replica;
    this.#outbox = outbox;
  }

  /** Admits the peer, durably, before it answers (rule M1). */
  join(session: Session, joiner: ReplicaId, message: Join, nowMs: number): void {
    const replica = this.#replica;
    let { members } = replica;
    if (message.abandoned !== undefined && members.has(message.abandoned))
      members = members.without(message.abandoned);
    if (!members.has(joiner)) {
      const address = session.hello?.address ?? "";
      members = members.with(joiner, {
        removed: false,
        address,
        addressTimestamp: replica.clock.last,
        succession: undefined,
        admittedBy: replica.id,
      });
    }
    replica.setMembers(members);
    const observe = replica.tick(nowMs);
    const vector = replica.vector.clone();
    this.#joiners.set(joiner, nowMs);
    session.mode = "source";
    this.#outbox.afterDurable(replica.groupNumber, () => {
      if (session.mode !== "source") return;
      this.#outbox.send(session.link, {
        kind: "granted",
        mesh: replica.identity.mesh,
        members: replica.members,
        observe,
        vector,
        horizon: replica.horizon,
        horizonMembers: replica.horizonMembers,
        floors: new Map(replica.floors),
      });
    });
  }

  /**
   * Sends a chunk, and reads the one that will be asked for next: one is merged there while the next is read here. Chunks
   * of different moments go together anyway (see `joiner.ts`).
   */
  copy(session: Session, message: Copy): void {
    const ahead = session.readAhead?.after === message.after ? session.readAhead : undefined;
    const chunk = ahead ?? this.#readEntries(session, message.after);
    if (chunk.found === undefined) chunk.isWanted = true;
    else this.#sendEntries(session, chunk.found);
  }

  #readEntries(session: Session, after: KeyText | undefined): ReadAhead {
    const chunk: ReadAhead = { after, found: undefined, isWanted: false };
    session.readAhead = chunk;
    this.#outbox.scan({ kind: "entries", after, bytesMax: CHUNK_BYTES }, (result) => {
      if (session.mode !== "source" || session.readAhead !== chunk) return;
      if (result.kind !== "entries") session.readAhead = undefined;
      else if (chunk.isWanted) this.#sendEntries(session, result);
      else chunk.found = result;
    });
    return chunk;
  }

  #sendEntries(session: Session, { entries, done }: CopiedEntries): void {
    this.#outbox.send(session.link, { kind: "copied", entries, done });
    const last = entries.at(-1);
    session.readAhead = undefined;
    if (!done && last !== undefined) this.#readEntries(session, last.winner.key);
  }

  copySettled(session: Session, message: CopySettled): void {
    this.#outbox.scan({ kind: "settled", after: message.after, bytesMax: CHUNK_BYTES }, (result) => {
      if (session.mode !== "source" || result.kind !== "settled") return;
      const { conflicts, done } = result;
      this.#outbox.send(session.link, {
        kind: "copied-settled",
        conflicts,
        done,
        vector: this.#replica.durableVector,
      });
    });
  }

  /** Adopts what the mesh does not have; with the last offer the old replica is removed, with a note. */
  offer(session: Session, joiner: ReplicaId, message: Offer, nowMs: number): void {
    const replica = this.#replica;
    this.#joiners.set(joiner, nowMs);
    const { branches } = message;
    const strays = findStrays(branches, replica.vector, replica.members);
    replica.setMembers(replica.members.naming(namedBy(branches, replica.vector, strays)));
    // What no log here tells at all has no other branch here.
    const isOfLogs = (origin: ReplicaId): boolean =>
      origin !== replica.id && replica.vector.get(origin) > 0 && !strays.has(origin);
    replica.name(
      namedByContexts(
        message.records,
        0,
        (origin) => (isOfLogs(origin) && branches.get(origin)) || ZERO_POSITION,
      ),
    );
    let adopted = 0;
    for (const entry of byKey(message.records)) adopted += this.#adopt(entry, message, strays, nowMs);
    const through = replica.tick(nowMs);
    if (message.end !== undefined) {
      const { predecessor, vector } = message.end;
      const note = replica.members.get(predecessor)?.succession;
      const earlier = note !== undefined && hasTaken(replica.vector, note) ? note.offered : undefined;
      const succession = {
        successor: joiner,
        adopter: replica.id,
        adoptedAt: through,
        offered: withCopies(withStrays(vector, strays), predecessor, earlier),
        held: replica.vector.covered(),
      };
      // Of two live copies of one directory the one that stays keeps the id of both.
      const self = predecessor === replica.id ? replica.members.get(predecessor) : undefined;
      replica.setMembers(
        self === undefined
          ? replica.members.without(predecessor, succession)
          : replica.members.with(predecessor, { ...self, succession }),
      );
    }
    if (adopted > 0) this.#outbox.event("adopted", { joiner, records: adopted });
    this.#outbox.afterDurable(replica.groupNumber, () => {
      if (session.mode === "streaming") this.#outbox.send(session.link, { kind: "adopted", through });
    });
  }

  /** Adopts of an entry what is not here, and states that what it tells to be settled is. */
  #adopt(entry: readonly WriteRecord[], message: Offer, strays: StrayBranches, nowMs: number): number {
    const replica = this.#replica;
    const [first] = entry;
    if (first === undefined) return 0;
    const renamed = entry.map((record) => renameStray(record, strays));
    const named = loweredToPresent(renamed, replica.clock, nowMs);
    let settled = settledBy(replica.entry(first.key), named, message.seen, strays);
    let adopted = 0;
    for (const [index, record] of entry.entries()) {
      if (isCovered(record, replica.vector, replica.members, message.branches)) continue;
      // The write may have come before, in another form, or from another copy of its directory. Not so a delete: it may bear
      // the name of the write that it settles (`replica/settling.ts`).
      const isKnown = (version: Version): boolean =>
        isCovered(version, replica.vector, replica.members, message.branches);
      if (!record.isDelete && isKnown(originOf(named[index] ?? record))) continue;
      if (!replica.adopt(named[index] ?? record, nowMs, settled)) continue;
      adopted += 1;
      settled = [];
    }
    replica.settle(settled, nowMs);
    return adopted;
  }

  /** The last word before the joiner serves: it is a member like any other from here on, durably. */
  confirm(session: Session, joiner: ReplicaId): void {
    const replica = this.#replica;
    if (!replica.members.has(joiner)) return;
    this.#joiners.delete(joiner);
    replica.setMembers(replica.members.confirming(joiner));
    const answer = (): void => {
      if (session.mode === "streaming") this.#outbox.send(session.link, { kind: "confirmed" });
    };
    if (replica.members === replica.durableMembers) answer();
    else this.#outbox.afterDurable(replica.groupNumber, answer);
  }

  /** The joiner was heard. */
  heard(joiner: ReplicaId, nowMs: number): void {
    if (this.#joiners.has(joiner)) this.#joiners.set(joiner, nowMs);
  }

  /**
   * Drops joiners that were not heard for a lease: they hold nothing of their own (rule M1). Each is watched by the
   * member that let it in, across its restarts, or by everybody when that is no member any more.
   */
  dropLate(nowMs: number, leaseMs: number): void {
    const replica = this.#replica;
    for (const [joiner, admitter] of replica.members.joining()) {
      if (joiner === replica.id || (admitter !== replica.id && replica.members.has(admitter))) continue;
      const heardMs = this.#joiners.get(joiner);
      if (heardMs === undefined || heardMs > nowMs) this.#joiners.set(joiner, nowMs);
      else if (nowMs - heardMs > leaseMs) {
        this.#joiners.delete(joiner);
        replica.setMembers(replica.members.without(joiner));
        this.#outbox.event("joiner-dropped", { joiner });
      }
    }
  }
}

/** The version of the write as it was first made. */
function originOf({ timestamp, origin, adopted }: WriteRecord): Version {
  return adopted ?? { timestamp, origin };
}
