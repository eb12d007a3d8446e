/**
 * The joining half of bootstrap and rejoin (rules M1, M2), seen from the new replica: it is admitted, copies the
 * source's entries in key order, takes over its floors and streams its logs from there like any other peer; then it
 * hands over what its predecessor has, and asks once more whether it is a member.
 *
 * The copied chunks come from different moments. That is sound because the source's horizon stands still from the
 * admission on: whatever changed since is in the logs that follow, and merging a record twice changes nothing.
 */
import type { KeyText, ReplicaId } from "../ids.ts";
import type { SettledConflict } from "../change-set.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import type { Timestamp } from "../timestamp.ts";
import { isForked } from "../position.ts";
import { VersionVector } from "../version-vector.ts";
import type { Adopted, Copied, CopiedSettled, Granted, Offer } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { Session } from "./session.ts";

/** `done`: the new replica may take its predecessor's place. `failed`: it is of no use; start afresh. */
export type JoinPhase =
  | "asking"
  | "copying"
  | "settled"
  | "catching-up"
  | "offering"
  | "confirming"
  | "done"
  | "failed";

/** Unflushed bytes above which the next chunk waits for the disk. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024;

export class Joiner {
  readonly #replica: Replica;
  readonly #outbox: Outbox;
  readonly #abandoned: ReplicaId | undefined;
  readonly #address: string;
  phase: JoinPhase = "asking";
  failure = "";
  #granted: Granted | undefined;
  #source: ReplicaId | undefined;
  #session: Session | undefined;
  #entriesAfter: KeyText | undefined;
  #settledAfter: WriteRecord | undefined;
  #target: VersionVector | undefined;
  #adoptedThrough: Timestamp = 0;
  #onAdopted: (() => void) | undefined;
  #sourceVector = (): VersionVector => new VersionVector();
  /** What the source had when it had adopted everything, and told so. */
  #needed: VersionVector | undefined;

  constructor(replica: Replica, outbox: Outbox, address: string, abandoned: ReplicaId | undefined) {
    this.#replica = replica;
    this.#outbox = outbox;
    this.#address = address;
    this.#abandoned = abandoned;
  }

  get source(): ReplicaId | undefined {
    return this.#source;
  }

  /** Whether logs may be exchanged: before the copy is whole, nothing of this replica's vector is true. */
  get mayStream(): boolean {
    return (
      this.phase !== "asking" &&
      this.phase !== "copying" &&
      this.phase !== "settled" &&
      this.phase !== "failed"
    );
  }

  /** A link to the source is up, for the first time or again. */
  begin(session: Session): void {
    this.#source ??= session.peer;
    if (session.peer !== this.#source) return this.fail("the source was replaced by another replica");
    this.#session = session;
    session.mode = "joiner";
    this.#outbox.send(session.link, { kind: "join", abandoned: this.#abandoned });
  }

  granted(session: Session, granted: Granted): void {
    const replica = this.#replica;
    if (!this.mayStream && this.#granted !== undefined && this.#granted.horizon !== granted.horizon) {
      return this.fail("the source forgot what the copy still needs");
    }
    // A restored directory has not all that was copied from the one before it.
    if (this.#granted !== undefined && !hasAllOf(granted.vector, this.#granted.vector)) {
      return this.fail("the source lost what the copy was begun with");
    }
    replica.setMembers(replica.members.merge(granted.members));
    replica.clock.observe(granted.observe);
    replica.setIdentity({ ...replica.identity, mesh: granted.mesh });
    this.#granted ??= granted;
    if (this.phase === "asking" || this.phase === "copying") {
      this.phase = "copying";
      this.#outbox.send(session.link, { kind: "copy", after: this.#entriesAfter });
    } else if (this.phase === "settled") {
      this.#outbox.send(session.link, { kind: "copy-settled", after: this.#settledAfter });
    } else {
      session.mode = "streaming";
      this.durable();
    }
  }

  copied(session: Session, copied: Copied): void {
    if (this.phase !== "copying") return;
    this.#replica.group.isCopy = true;
    const floors = this.#granted?.floors ?? new Map<ReplicaId, Timestamp>();
    for (const entry of copied.entries) {
      const { winner } = entry;
      this.#replica.clock.observe(winner.timestamp);
      // The tables were empty, and nothing but the copy fills them until it is done: what comes in order is not here yet.
      const isNew = this.#entriesAfter === undefined || winner.key > this.#entriesAfter;
      this.#replica.copy(entry, floors, isNew);
      if (isNew) this.#entriesAfter = winner.key;
    }
    if (copied.done) this.phase = "settled";
    this.#whenRoom(session, () => {
      if (this.phase === "copying")
        this.#outbox.send(session.link, { kind: "copy", after: this.#entriesAfter });
      else this.#outbox.send(session.link, { kind: "copy-settled", after: this.#settledAfter });
    });
  }

  copiedSettled(session: Session, copied: CopiedSettled): void {
    if (this.phase !== "settled" || this.#granted === undefined) return;
    const { settled } = this.#replica.group;
    settled.push(...copied.conflicts);
    this.#settledAfter = lastRecord(copied.conflicts) ?? this.#settledAfter;
    if (!copied.done) {
      this.#whenRoom(session, () =>
        this.#outbox.send(session.link, { kind: "copy-settled", after: this.#settledAfter }),
      );
      return;
    }
    const { horizon, horizonMembers, floors } = this.#granted;
    this.#replica.takeOver(horizon, horizonMembers, floors, this.#granted.vector);
    // The copied records name what the source had, on its branches.
    this.#replica.name(copied.vector.branches());
    this.#target = copied.vector;
    this.phase = "catching-up";
    session.mode = "streaming";
  }

  #whenRoom(session: Session, send: () => void): void {
    if (this.#replica.pendingBytes < AHEAD_BYTES_MAX) return send();
    this.#outbox.afterDurable(this.#replica.groupNumber, () => {
      if (session.mode === "joiner") send();
    });
  }

  /** Moves on when what has become durable allows it. */
  durable(): void {
    const { durableVector } = this.#replica;
    if (this.phase === "catching-up" && this.#target !== undefined && durableVector.includes(this.#target)) {
      this.phase = "offering";
    }
    if (this.phase === "confirming" && this.#source !== undefined && this.#session?.mode === "streaming") {
      if (!durableVector.covers(this.#source, this.#adoptedThrough)) return;
      this.#needed ??= this.#sourceVector().clone();
      if (!durableVector.includes(this.#needed)) return;
      this.#outbox.send(this.#session.link, { kind: "confirm" });
    }
  }

  /** Offers records of the predecessor; `done` runs when they are durable at the source. Only while `offering`. */
  offer(offer: Offer, done: () => void): boolean {
    if (this.#session?.mode !== "streaming") return false;
    this.#onAdopted = done;
    this.#outbox.send(this.#session.link, offer);
    return true;
  }

  adopted(message: Adopted): void {
    this.#adoptedThrough = Math.max(this.#adoptedThrough, message.through);
    const done = this.#onAdopted;
    this.#onAdopted = undefined;
    done?.();
  }

  /**
   * All offers are done: once this replica has what the source adopted, and what it did not have to adopt since it had
   * it, it asks for the last word.
   * @param sourceVector what the source is known to have by now
   */
  finish(sourceVector: () => VersionVector): void {
    this.phase = "confirming";
    this.#sourceVector = sourceVector;
    this.durable();
  }

  confirmed(): void {
    if (this.phase === "confirming") this.phase = "done";
  }

  /** The link to the source is gone. During the offers that ends the attempt; a copy goes on with the next link. */
  linkClosed(session: Session): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    if (this.phase === "offering" && this.#onAdopted !== undefined) this.fail("the source went away");
  }

  fail(message: string): void {
    if (this.phase === "done") return;
    this.phase = "failed";
    this.failure = message;
  }

  /** Address under which the new replica is admitted. */
  get address(): string {
    return this.#address;
  }
}

/** Whether the one vector covers the other, on the same branches of all origins' lives. */
function hasAllOf(vector: VersionVector, earlier: VersionVector): boolean {
  for (const [origin, position] of earlier.entries()) {
    if (isForked(position, vector.position(origin)) || !vector.covers(origin, position.timestamp))
      return false;
  }
  return true;
}

function lastRecord(conflicts: readonly SettledConflict[]): WriteRecord | undefined {
  return conflicts.at(-1)?.record;
}
