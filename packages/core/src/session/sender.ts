/**
 * The sending half of a session (rule S1): for each wanted origin the records after the peer's position, in order, up
 * to what is durable here, then the claim. A commit only wakes the loop; catch-up, relay and live tail are one code,
 * which reads the latest records in memory (see `recent-log.ts`) and all others in the tables.
 */
import type { ReplicaId } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import { type Position, positionWithin } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import type { Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Hearsay, LogStretch } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { RecentLog, RecentRecords } from "./recent-log.ts";
import type { Session } from "./session.ts";

export class Sender {
  readonly #replica: Replica;
  readonly #knowledge: Knowledge;
  readonly #outbox: Outbox;
  readonly #recent: RecentLog;
  readonly #close: (session: Session, code: "BEHIND" | "STORAGE_FAILED", message: string) => void;

  constructor(
    replica: Replica,
    knowledge: Knowledge,
    outbox: Outbox,
    recent: RecentLog,
    close: (session: Session, code: "BEHIND" | "STORAGE_FAILED", message: string) => void,
  ) {
    this.#replica = replica;
    this.#knowledge = knowledge;
    this.#outbox = outbox;
    this.#recent = recent;
    this.#close = close;
  }

  /** The peer wants an origin from a position on, or no more of it. */
  want(session: Session, origin: ReplicaId, after: Timestamp | undefined): void {
    if (after === undefined) session.wanted.delete(origin);
    else session.wanted.set(origin, after);
  }

  /** Sends what can be sent now. */
  pump(session: Session, nowMs: number): void {
    // A frame carries the member set that goes with what it tells (rule S6), and tells durable state only (rule S7).
    if (this.#replica.members !== this.#replica.durableMembers) return;
    while (session.mode === "streaming" && !session.blocked && !session.scanning && !session.handing) {
      const origin = this.#nextOrigin(session);
      if (origin === undefined) break;
      this.#serve(session, origin, nowMs);
    }
    if (session.mode !== "streaming" || session.blocked || session.handing) return;
    if (session.ackDue || session.hearsayDue || session.toldMembers !== this.#replica.members) {
      this.#tell(session, undefined, nowMs);
    }
  }

  /** The next wanted origin, in turn, of which more is durable here than the peer was sent. */
  #nextOrigin(session: Session): ReplicaId | undefined {
    let first: ReplicaId | undefined;
    let passed = session.lastServed === undefined;
    for (const [origin, sent] of session.wanted) {
      if (this.#replica.durableVector.get(origin) > sent) {
        if (passed) return origin;
        first ??= origin;
      }
      if (origin === session.lastServed) passed = true;
    }
    return first;
  }

  #serve(session: Session, origin: ReplicaId, nowMs: number): void {
    const replica = this.#replica;
    const after = session.wanted.get(origin) ?? 0;
    const claim = replica.durableVector.position(origin);
    session.lastServed = origin;
    if (after < (replica.floors.get(origin) ?? 0)) {
      this.#close(session, "BEHIND", `the log of ${origin} is cut above the peer's position`);
      return;
    }
    if (replica.hasNoRecordAfter(origin, after)) {
      this.#sendStretch(session, { origin, after, records: [], claim }, nowMs);
      return;
    }
    const recent = this.#recent.read(origin, after, FRAME_BYTES_TARGET);
    if (recent !== undefined) return this.#sendRead(session, origin, after, claim, recent, nowMs);
    session.scanning = true;
    const request = {
      kind: "log",
      origin,
      after,
      upTo: claim.timestamp,
      bytesMax: FRAME_BYTES_TARGET,
    } as const;
    this.#outbox.scan(request, (result, laterMs) => {
      session.scanning = false;
      if (session.mode !== "streaming") return;
      if (result.kind !== "log") {
        this.#close(
          session,
          "STORAGE_FAILED",
          result.kind === "failed" ? result.message : "wrong answer to a scan",
        );
        return;
      }
      // The peer may have asked anew meanwhile, the log may have been cut, the transport may take nothing more: then the
      // stretch is read again when it is its turn.
      const fits =
        !session.blocked &&
        this.#replica.members === this.#replica.durableMembers &&
        session.wanted.get(origin) === after;
      if (fits && after >= (replica.floors.get(origin) ?? 0)) {
        this.#sendRead(session, origin, after, claim, result, laterMs);
      }
      this.pump(session, laterMs);
    });
  }

  #sendRead(
    session: Session,
    origin: ReplicaId,
    after: Timestamp,
    claim: Position,
    result: RecentRecords,
    nowMs: number,
  ): void {
    const reached = result.done ? claim : this.#positionOf(origin, result.records, claim);
    this.#sendStretch(session, { origin, after, records: result.records, claim: reached }, nowMs);
  }

  #positionOf(origin: ReplicaId, records: readonly WriteRecord[], claim: Position): Position {
    const timestamp = records.at(-1)?.timestamp ?? 0;
    if (origin === this.#replica.id) return this.#replica.ownPosition(timestamp);
    return positionWithin(claim, timestamp);
  }

  #sendStretch(session: Session, log: LogStretch, nowMs: number): void {
    session.wanted.set(log.origin, log.claim.timestamp);
    this.#tell(session, log, nowMs);
    // One frame, and then the transport has its say.
    session.handing = true;
    this.#outbox.later((laterMs) => {
      session.handing = false;
      this.pump(session, laterMs);
    });
  }

  #tell(session: Session, log: LogStretch | undefined, nowMs: number): void {
    const replica = this.#replica;
    const members = session.toldMembers === replica.members ? undefined : replica.members;
    session.toldMembers = replica.members;
    const vector = new VersionVector();
    for (const [origin, position] of replica.durableVector.entries()) {
      if (position.timestamp > session.toldVector.get(origin)) vector.advance(origin, position);
    }
    for (const [origin, position] of replica.durableVector.named()) {
      if (position.timestamp > session.toldVector.meant(origin).timestamp) vector.name(origin, position);
    }
    session.toldVector = replica.durableVector;
    session.ackDue = false;
    const heard = session.hearsayDue ? this.#hearsay(session) : [];
    session.hearsayDue = false;
    this.#outbox.send(session.link, {
      kind: "frame",
      wallMs: nowMs,
      clock: replica.clock.last,
      members,
      vector,
      heard,
      log,
    });
  }

  #hearsay(session: Session): Hearsay[] {
    const heard: Hearsay[] = [];
    for (const member of this.#knowledge.members()) {
      const revision = this.#knowledge.revisionOf(member);
      const known = this.#knowledge.get(member);
      if (member === session.peer || known === undefined || session.toldHeard.get(member) === revision)
        continue;
      session.toldHeard.set(member, revision);
      heard.push({ member, vector: known.vector.covered(), removed: known.removed });
    }
    return heard;
  }

  /** Whether some origin has moved since the peer was told. */
  hasNews(session: Session): boolean {
    const { durableVector } = this.#replica;
    return session.toldVector !== durableVector && !session.toldVector.includes(durableVector);
  }

  /** Whether the peer has not been told everything that is known of third members. */
  hasHearsay(session: Session): boolean {
    for (const member of this.#knowledge.members()) {
      if (member !== session.peer && session.toldHeard.get(member) !== this.#knowledge.revisionOf(member))
        return true;
    }
    return false;
  }
}
