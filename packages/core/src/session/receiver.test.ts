import { LoneReplica, replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { Context } from "../context.ts";
import type { KeyText, ReplicaId } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { type Position, positionAt } from "../position.ts";
import { makeRecord, type WriteRecord } from "../record.ts";
import { EPOCH_MS, timestampFromMs, type Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { Knowledge } from "./knowledge.ts";
import type { Frame, Hello, LogStretch } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Receiver } from "./receiver.ts";
import { Session } from "./session.ts";

const [SELF, P, Q, R] = [1, 2, 3, 4].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId];
const NOW_MS = EPOCH_MS + 1_000_000;
const DRIFT_MS = 60_000;
const at = (ms: number): Timestamp => timestampFromMs(NOW_MS + ms);

function put(origin: ReplicaId, ms: number, context: Context = []): WriteRecord {
  return makeRecord({
    timestamp: at(ms),
    origin,
    key: `${ms}` as KeyText,
    isDelete: false,
    value: Uint8Array.of(1),
    expiresAtMs: 0,
    context,
    moreFollows: false,
    adopted: undefined,
  });
}

function vector(...claims: readonly (readonly [ReplicaId, number])[]): VersionVector {
  return new VersionVector(claims.map(([origin, ms]) => [origin, positionAt(at(ms))]));
}

function frame(log: LogStretch | undefined, changes: Partial<Frame> = {}): Frame {
  return {
    kind: "frame",
    wallMs: NOW_MS,
    clock: at(0),
    members: undefined,
    vector: vector(),
    heard: [],
    log,
    ...changes,
  };
}

function stretch(
  origin: ReplicaId,
  after: Timestamp,
  claimMs: number,
  ...records: readonly WriteRecord[]
): LogStretch {
  return { origin, after, records, claim: positionAt(at(claimMs)) };
}

class Desk {
  readonly lone = new LoneReplica(SELF, NOW_MS, [P, Q]);
  readonly knowledge = new Knowledge();
  readonly outbox = new Outbox();
  readonly receiver = new Receiver(this.lone.replica, this.knowledge, this.outbox);
  readonly #sessions: Session[] = [];

  constructor() {
    this.lone.commit();
  }

  session(peer: ReplicaId): Session {
    const session = new Session(
      { link: this.#sessions.length + 1, dialled: true, invited: false, address: "" },
      NOW_MS,
    );
    session.hello = { replicaId: peer } as Hello;
    session.mode = "streaming";
    this.#sessions.push(session);
    return session;
  }

  take(session: Session, one: Frame): string | undefined {
    return this.receiver.take(session, session.peer ?? P, one, NOW_MS, DRIFT_MS, this.#sessions)?.code;
  }

  /** Chooses, and returns what was asked of each link: `+` wants, `-` wants no more. */
  choose(): string[] {
    this.receiver.chooseSources(this.#sessions.filter(({ mode }) => mode === "streaming"));
    return this.outbox.take().map((action) => {
      if (action.kind !== "send" || action.message.kind !== "want") return action.kind;
      const { origin, after } = action.message;
      return `${after === undefined ? "-" : "+"}${Number.parseInt(origin, 16)} of link ${action.link}`;
    });
  }
}

describe("taking a frame", () => {
  it("applies its records and its claim, and owes an acknowledgement", () => {
    const desk = new Desk();
    const session = desk.session(P);
    expect(desk.take(session, frame(stretch(P, 0, 5, put(P, 1), put(P, 2))))).toBeUndefined();
    expect(desk.lone.replica.vector.get(P)).toBe(at(5));
    expect(desk.lone.commit()?.records).toHaveLength(2);
    expect(session.ackDue).toBe(true);
  });

  it("takes what overlaps with what is here, dropping the overlap whole (S2, S3)", () => {
    const desk = new Desk();
    const session = desk.session(P);
    desk.take(session, frame(stretch(P, 0, 2, put(P, 1), put(P, 2))));
    desk.lone.commit();
    expect(desk.take(session, frame(stretch(P, at(1), 3, put(P, 2), put(P, 3))))).toBeUndefined();
    expect(desk.lone.commit()?.records.map(({ key }) => key)).toEqual(["3"]);
  });

  it("refuses a gap, and takes nothing of the frame (S2)", () => {
    const desk = new Desk();
    const members = new MemberSet().without(R);
    const gap = frame(stretch(P, at(1), 5, put(P, 2)), { members, clock: at(50), vector: vector([P, 5]) });
    expect(desk.take(desk.session(P), gap)).toBe("INTERNAL");
    expect(desk.lone.replica.hasChanges).toBe(false);
    expect(desk.lone.replica.members.isRemoved(R)).toBe(false);
    expect(desk.knowledge.get(P)).toBeUndefined();
    expect(desk.lone.replica.clock.last).toBeLessThan(at(50));
  });

  it("refuses a clock or a claim too far ahead, and takes nothing (C1)", () => {
    const desk = new Desk();
    const session = desk.session(P);
    expect(desk.take(session, frame(undefined, { clock: at(DRIFT_MS + 1) }))).toBe("CLOCK_SKEW");
    expect(desk.take(session, frame(stretch(P, 0, DRIFT_MS + 1)))).toBe("CLOCK_SKEW");
    expect(desk.lone.replica.hasChanges).toBe(false);
    expect(desk.take(session, frame(undefined, { clock: at(DRIFT_MS) }))).toBeUndefined();
    expect(desk.lone.replica.clock.last).toBe(at(DRIFT_MS));
  });

  it("refuses another branch of an origin (M5)", () => {
    const desk = new Desk();
    const session = desk.session(P);
    const claim = (ms: number, start: number, recovered: number): Position => ({
      timestamp: at(ms),
      start: startId(start),
      recovered: at(recovered),
    });
    desk.take(session, frame({ ...stretch(P, 0, 5), claim: claim(5, 1, -10) }));
    expect(desk.take(session, frame({ ...stretch(P, at(5), 9), claim: claim(9, 2, -5) }))).toBe(
      "DUPLICATE_REPLICA",
    );
    expect(desk.take(session, frame({ ...stretch(P, at(5), 9), claim: claim(9, 2, 5) }))).toBeUndefined();
  });

  it("refuses one who has adopted writes of another branch under the name that is known here (M5)", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    const branch = (ms: number, start: number): [ReplicaId, Position] => [
      R,
      { timestamp: at(ms), start: startId(start), recovered: at(-10) },
    ];
    replica.setMembers(replica.members.naming([branch(5, 1)]));
    const telling = (told: [ReplicaId, Position]): Frame =>
      frame(undefined, { members: desk.lone.replica.members.naming([told]) });
    const other = new MemberSet(replica.members.entries(), new Map([branch(9, 2)]));
    expect(desk.take(desk.session(P), frame(undefined, { members: other }))).toBe("DUPLICATE_REPLICA");
    expect(replica.members.branches.get(R)?.start).toBe(startId(1));
    expect(desk.take(desk.session(Q), telling(branch(7, 1)))).toBeUndefined();
    expect(replica.members.branches.get(R)?.timestamp).toBe(at(7));
  });

  it("keeps the branch that contexts name beyond what is here, and follows no other (M5)", () => {
    const desk = new Desk();
    const [session, other] = [desk.session(P), desk.session(Q)];
    const common: Position = { timestamp: at(1), start: startId(1), recovered: at(-10) };
    const original: Position = { timestamp: at(6), start: startId(1), recovered: at(-10) };
    const copy: Position = { timestamp: at(4), start: startId(2), recovered: at(1) };
    const told = (position: Position): VersionVector => new VersionVector([[R, position]]);
    desk.take(other, frame({ ...stretch(R, 0, 1), claim: common }));
    const named = put(P, 6, [{ origin: R, timestamp: at(5) }]);
    expect(desk.take(session, frame(stretch(P, 0, 7, named), { vector: told(original) }))).toBeUndefined();
    const { vector: held } = desk.lone.replica;
    expect(held.position(R)).toEqual(common);
    expect(held.meant(R)).toEqual({ ...original, timestamp: at(5) });
    expect(desk.take(other, frame(undefined, { vector: told(copy) }))).toBe("DUPLICATE_REPLICA");
    session.mode = "closed";
    const ofCopy = { ...stretch(R, at(1), 4), claim: copy };
    expect(desk.take(other, frame(ofCopy))).toBe("DUPLICATE_REPLICA");
    expect(desk.take(other, frame({ ...ofCopy, claim: original }))).toBeUndefined();
    expect([...held.named()]).toEqual([]);
  });

  it("goes on with one whose members name another branch than its contexts do, and remembers these (M5)", () => {
    const desk = new Desk();
    const session = desk.session(P);
    const original: Position = { timestamp: at(6), start: startId(1), recovered: at(-10) };
    const copy: Position = { timestamp: at(9), start: startId(2), recovered: at(3) };
    const told = (timestamp: number): VersionVector => new VersionVector([[R, { ...original, timestamp }]]);
    const noted = told(at(1));
    noted.name(R, original);
    desk.lone.replica.setMembers(desk.lone.replica.members.naming([[R, original]]));
    expect(desk.take(session, frame(undefined, { vector: noted }))).toBeUndefined();
    const members = new MemberSet(desk.lone.replica.members.entries(), new Map([[R, copy]]));
    expect(desk.take(session, frame(undefined, { members, vector: told(at(2)) }))).toBeUndefined();
  });

  it("takes nothing whose context names another branch than is here, whoever tells of it (M5)", () => {
    const desk = new Desk();
    const copy: Position = { timestamp: at(4), start: startId(2), recovered: at(1) };
    desk.take(desk.session(R), frame({ ...stretch(R, 0, 4), claim: copy }));
    const vector = new VersionVector();
    vector.name(R, { timestamp: at(5), start: startId(1), recovered: at(-10) });
    const named = put(P, 6, [{ origin: R, timestamp: at(5) }]);
    expect(desk.take(desk.session(Q), frame(stretch(P, 0, 7, named), { vector }))).toBe("DUPLICATE_REPLICA");
    expect(desk.lone.replica.vector.get(P)).toBe(0);
  });

  it("takes nothing whose context names what it never wrote itself (M5)", () => {
    const desk = new Desk();
    const vector = new VersionVector();
    vector.name(SELF, { timestamp: at(5), start: desk.lone.replica.start.id, recovered: 0 });
    const named = put(P, 6, [{ origin: SELF, timestamp: at(5) }]);
    expect(desk.take(desk.session(Q), frame(stretch(P, 0, 7, named), { vector }))).toBe("DUPLICATE_REPLICA");
  });

  it("takes in the members before everything else (S6): nothing of a replica that the frame itself removes", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    const removing = frame(stretch(P, 0, 5, put(P, 1)), {
      members: replica.members.without(P),
      vector: vector([P, 5]),
    });
    expect(desk.take(desk.session(P), removing)).toBe("REMOVED");
    expect(replica.members.isRemoved(P)).toBe(true);
    expect(replica.vector.get(P)).toBe(0);
    expect(desk.knowledge.get(P)).toBeUndefined();
  });

  it("learns of its own removal", () => {
    const desk = new Desk();
    const told = frame(undefined, { members: desk.lone.replica.members.without(SELF) });
    expect(desk.take(desk.session(P), told)).toBe("REMOVED");
    expect(desk.lone.replica.members.isRemoved(SELF)).toBe(true);
  });

  it("takes its own log from nobody, and hearsay of itself neither", () => {
    const desk = new Desk();
    const own = desk.lone.replica.vector.get(SELF);
    const heard = [{ member: SELF, vector: vector([P, 9]), removed: new Set<ReplicaId>() }];
    expect(desk.take(desk.session(P), frame(stretch(SELF, 0, 9, put(SELF, 8)), { heard }))).toBeUndefined();
    expect(desk.lone.replica.vector.get(SELF)).toBe(own);
    expect(desk.knowledge.get(SELF)).toBeUndefined();
  });

  it("learns what the sender has, and what it heard of others", () => {
    const desk = new Desk();
    const heard = [{ member: Q, vector: vector([SELF, 3]), removed: new Set([R]) }];
    desk.take(desk.session(P), frame(undefined, { vector: vector([Q, 4]), heard, wallMs: NOW_MS + 250 }));
    expect(desk.knowledge.get(P)?.vector.get(Q)).toBe(at(4));
    expect(desk.knowledge.get(Q)?.vector.get(SELF)).toBe(at(3));
    expect([...(desk.knowledge.get(Q)?.removed ?? [])]).toEqual([R]);
  });
});

describe("choosing whom to ask (S5)", () => {
  it("asks each peer for its own log", () => {
    const desk = new Desk();
    desk.session(P);
    desk.session(Q);
    expect(desk.choose()).toEqual(["+2 of link 1", "+3 of link 2"]);
    expect(desk.choose()).toEqual([]);
  });

  it("asks for an origin that is not linked whoever has most of it, again and again", () => {
    const desk = new Desk();
    desk.session(P);
    desk.session(Q);
    desk.knowledge.learn(P, vector([R, 5]), undefined);
    expect(desk.choose()).toContain("+4 of link 1");
    desk.knowledge.learn(Q, vector([R, 5]), undefined);
    expect(desk.choose()).toEqual([]);
    desk.knowledge.learn(Q, vector([R, 6]), undefined);
    expect(desk.choose().toSorted()).toEqual(["+4 of link 2", "-4 of link 1"]);
  });

  it("goes back to the origin itself when it is linked, though others claim more", () => {
    const desk = new Desk();
    desk.session(P);
    desk.knowledge.learn(P, vector([Q, 50]), undefined);
    expect(desk.choose()).toContain("+3 of link 1");
    desk.session(Q);
    expect(desk.choose().toSorted()).toEqual(["+3 of link 2", "-3 of link 1"]);
  });

  it("asks another when the one that was asked is gone", () => {
    const desk = new Desk();
    const gone = desk.session(P);
    desk.session(Q);
    desk.knowledge.learn(P, vector([R, 6]), undefined);
    desk.knowledge.learn(Q, vector([R, 5]), undefined);
    desk.choose();
    gone.mode = "closed";
    expect(desk.choose()).toEqual(["+4 of link 2"]);
  });

  it("never asks for its own log", () => {
    const desk = new Desk();
    desk.session(P);
    desk.knowledge.learn(P, vector([SELF, 50]), undefined);
    expect(desk.choose()).toEqual(["+2 of link 1"]);
  });

  it("asks from where its own vector stands", () => {
    const desk = new Desk();
    const session = desk.session(P);
    desk.take(session, frame(stretch(P, 0, 5)));
    desk.receiver.chooseSources([session]);
    expect(desk.outbox.take()).toEqual([
      { kind: "send", link: 1, message: { kind: "want", origin: P, after: at(5) } },
    ]);
  });
});
