/** The receiving half of a session: which peer is asked for which origin (S5), and what a frame does (S2 to S6, C1). */
import type { ErrorCode } from "../error-code.ts";
import type { ReplicaId } from "../ids.ts";
import { commonTimestamp, isForked, type Position } from "../position.ts";
import type { MemberSet } from "../member-set.ts";
import type { Replica } from "../replica/replica.ts";
import { timestampToMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { branchFrom, branchMeant, namedByContexts } from "./branches.ts";
import type { Knowledge } from "./knowledge.ts";
import type { Frame } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { Session } from "./session.ts";

/** Why a frame ends its session; undefined when it was taken. */
export interface Misfit {
  readonly code: ErrorCode;
  readonly message: string;
}

export class Receiver {
  readonly #replica: Replica;
  readonly #knowledge: Knowledge;
  readonly #outbox: Outbox;

  constructor(replica: Replica, knowledge: Knowledge, outbox: Outbox) {
    this.#replica = replica;
    this.#knowledge = knowledge;
    this.#outbox = outbox;
  }

  /**
   * Takes in a frame, members first. All of it or, on a misfit, nothing.
   * @param sessions all live ones
   */
  take(
    session: Session,
    peer: ReplicaId,
    frame: Frame,
    nowMs: number,
    driftMsMax: number,
    sessions: readonly Session[],
  ): Misfit | undefined {
    const replica = this.#replica;
    const named = this.#namedBy(peer, frame);
    const misfit =
      this.#check(frame, nowMs, driftMsMax) ??
      this.#checkBranches(peer, frame, sessions) ??
      this.#checkNamed(named);
    if (misfit !== undefined) return misfit;
    session.wallOffsetMs = frame.wallMs - nowMs;
    session.lastHeardMs = nowMs;
    if (frame.members !== undefined) replica.setMembers(replica.members.merge(frame.members));
    if (replica.members.isRemoved(peer))
      return { code: "REMOVED", message: `replica ${peer} was removed from the mesh` };
    if (replica.members.isRemoved(replica.id))
      return { code: "REMOVED", message: "this replica was removed" };
    replica.clock.observe(frame.clock);
    this.#knowledge.learn(peer, frame.vector, frame.members?.removed());
    const told = new Set<ReplicaId | undefined>([replica.id]);
    for (const { mode, peer: linked } of sessions) if (mode === "streaming") told.add(linked);
    for (const { member, vector, removed } of frame.heard) {
      // Who is linked says itself what it has.
      if (!told.has(member)) this.#knowledge.learn(member, vector, removed);
    }
    const { log } = frame;
    if (log !== undefined && log.origin !== replica.id) {
      replica.name(named);
      replica.accept(log.origin, log.records, log.claim, nowMs);
      session.ackDue = true;
    }
    return undefined;
  }

  #check(frame: Frame, nowMs: number, driftMsMax: number): Misfit | undefined {
    const { log } = frame;
    // Where all logical clocks of a mesh are astray, they are held against each other (rule C5).
    const ownMs = timestampToMs(this.#replica.clock.last);
    const fromMs = ownMs - nowMs > driftMsMax ? ownMs : nowMs;
    const aheadMs = timestampToMs(Math.max(frame.clock, log?.claim.timestamp ?? 0)) - fromMs;
    if (aheadMs > driftMsMax)
      return { code: "CLOCK_SKEW", message: `the peer's clock is ${aheadMs} ms ahead` };
    if (log !== undefined && this.#replica.vector.get(log.origin) < log.after)
      return { code: "INTERNAL", message: `the frame continues from beyond what is here` };
    return undefined;
  }

  /**
   * Contexts name versions by origin and time alone, and mean those of the branch that their author followed, or had adopted
   * writes of (rule M5).
   * So nothing is taken from one who follows another branch of any origin's life; and no branch is chosen here that a
   * linked author of writes which are here does not follow.
   */
  #checkBranches(
    from: ReplicaId,
    { vector, members, log }: Frame,
    sessions: readonly Session[],
  ): Misfit | undefined {
    const mine = this.#replica.vector;
    const meant = (origin: ReplicaId): Position => branchMeant(origin, mine, this.#replica.members);
    for (const [origin, position] of vector.branches()) {
      if (isForked(meant(origin), position)) return followsAnother(origin);
    }
    const named = members && this.#namedOtherwise(from, members, vector);
    if (named !== undefined) return followsAnother(named);
    if (log === undefined) return undefined;
    const { origin, claim } = log;
    if (isForked(meant(origin), claim)) return followsAnother(origin);
    for (const { mode, peer } of sessions) {
      if (mode !== "streaming" || peer === undefined || peer === origin) continue;
      const theirs = this.#knowledge.get(peer)?.vector.position(origin);
      if (theirs === undefined || !isForked(theirs, claim)) continue;
      if (mine.get(peer) > commonTimestamp(theirs, claim)) return followsAnother(origin);
    }
    return undefined;
  }

  /** What the contexts of the frame's records name, on the branches that whoever sends it follows. */
  #namedBy(peer: ReplicaId, { vector, log }: Frame): ReadonlyMap<ReplicaId, Position> {
    if (log === undefined) return NOTHING_NAMED;
    const known = this.#knowledge.get(peer)?.vector ?? NOTHING_HELD;
    const after = this.#replica.vector.get(log.origin);
    return namedByContexts(log.records, after, (origin) =>
      furthest(vector.meant(origin), known.meant(origin)),
    );
  }

  /**
   * A relay can have a record before what its context names, and be on no branch of that yet. So what is named beyond
   * what is here is held against what is here, and kept: nobody is followed later who means another branch.
   */
  #checkNamed(named: ReadonlyMap<ReplicaId, Position>): Misfit | undefined {
    const { id, vector } = this.#replica;
    for (const [origin, position] of named) {
      const isUnknown = origin === id && position.timestamp > vector.get(id);
      if (isUnknown || isForked(vector.meant(origin), position)) return followsAnother(origin);
    }
    return undefined;
  }

  /**
   * An origin whose name means another branch to the peer: what was adopted there under that name may follow.
   * @param told what has changed in the peer's vector
   */
  #namedOtherwise(peer: ReplicaId, members: MemberSet, told: VersionVector): ReplicaId | undefined {
    const known = this.#knowledge.get(peer)?.vector ?? told;
    for (const origin of members.branches.keys()) {
      const held = furthest(told.meant(origin), known.meant(origin));
      const mine = branchMeant(origin, this.#replica.vector, this.#replica.members);
      if (isForked(mine, branchFrom(held, members.branches.get(origin)))) return origin;
    }
    return undefined;
  }

  /**
   * Chooses the peer for each origin: the origin itself when it is linked, else whoever has most of it. Decided anew each
   * time: a choice that sticks can starve while two replicas relay to each other and a third has more.
   */
  chooseSources(sessions: readonly Session[]): void {
    const live = sessions.filter((session) => session.mode === "streaming" && session.peer !== undefined);
    const origins = new Set<ReplicaId>();
    for (const session of live) {
      if (session.peer === undefined) continue;
      origins.add(session.peer);
      for (const origin of this.#knowledge.get(session.peer)?.vector.origins() ?? []) origins.add(origin);
    }
    origins.delete(this.#replica.id);
    for (const origin of origins) this.#ask(origin, this.#bestFor(origin, live), live);
  }

  #bestFor(origin: ReplicaId, live: readonly Session[]): Session | undefined {
    let best: Session | undefined;
    let bestHas = -1;
    for (const session of live) {
      if (session.peer === origin) return session;
      const has =
        session.peer === undefined ? 0 : (this.#knowledge.get(session.peer)?.vector.get(origin) ?? 0);
      const wins = has > bestHas || (has === bestHas && session.asked.has(origin));
      if (wins) [best, bestHas] = [session, has];
    }
    return best;
  }

  #ask(origin: ReplicaId, chosen: Session | undefined, live: readonly Session[]): void {
    for (const session of live) {
      if (session === chosen && !session.asked.has(origin)) {
        session.asked.add(origin);
        this.#outbox.send(session.link, { kind: "want", origin, after: this.#replica.vector.get(origin) });
      } else if (session !== chosen && session.asked.delete(origin)) {
        this.#outbox.send(session.link, { kind: "want", origin, after: undefined });
      }
    }
  }
}

const NOTHING_NAMED: ReadonlyMap<ReplicaId, Position> = new Map();
const NOTHING_HELD = new VersionVector();

function furthest(a: Position, b: Position): Position {
  return a.timestamp >= b.timestamp ? a : b;
}

function followsAnother(origin: ReplicaId): Misfit {
  return { code: "DUPLICATE_REPLICA", message: `the peer follows another branch of ${origin}` };
}
