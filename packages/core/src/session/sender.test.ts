import { LoneReplica, replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText, ReplicaId } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import { positionAt } from "../position.ts";
import { EPOCH_MS, timestampFromMs, type Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { Knowledge } from "./knowledge.ts";
import type { Frame, Hello } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { RecentLog } from "./recent-log.ts";
import { Sender } from "./sender.ts";
import { Session } from "./session.ts";

const [SELF, PEER, THIRD] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
const NOW_MS = EPOCH_MS + 1_000_000;

class Desk {
  readonly lone = new LoneReplica(SELF, NOW_MS, [PEER, THIRD]);
  readonly knowledge = new Knowledge();
  readonly outbox = new Outbox();
  readonly closed: string[] = [];
  readonly session = new Session({ link: 1, dialled: true, invited: false, address: "" }, NOW_MS);
  readonly recent = new RecentLog(new VersionVector(), 0);
  readonly sender = new Sender(
    this.lone.replica,
    this.knowledge,
    this.outbox,
    this.recent,
    (session, code) => {
      session.mode = "closed";
      this.closed.push(code);
    },
  );

  constructor() {
    this.lone.commit();
    this.session.hello = { replicaId: PEER } as Hello;
    this.session.mode = "streaming";
    this.session.toldMembers = this.lone.replica.members;
  }

  want(origin: ReplicaId, after: Timestamp | undefined): void {
    this.sender.want(this.session, origin, after);
  }

  /** What is sent when the loop is woken. */
  pump(): Frame[] {
    this.sender.pump(this.session, NOW_MS);
    return this.frames();
  }

  /** What is sent once nothing waits any more. */
  frames(): Frame[] {
    return this.lone
      .settle(this.outbox)
      .flatMap((action) => (action.kind === "send" && action.message.kind === "frame" ? action.message : []));
  }
}

function keysOf(frames: readonly Frame[]): string[] {
  return frames.flatMap(({ log }) => log?.records ?? []).map(({ key }) => key);
}

describe("Sender", () => {
  it("sends what is wanted after the peer's position, in order, then the claim (S1)", () => {
    const desk = new Desk();
    const first = desk.lone.write("a", "1");
    const [, last] = [desk.lone.write("b", "2"), desk.lone.write("c", "3")];
    desk.lone.commit();
    expect(desk.pump()).toEqual([]);
    desk.want(SELF, first.timestamp);
    const [frame, ...more] = desk.pump();
    expect(more).toEqual([]);
    expect(keysOf(frame === undefined ? [] : [frame])).toEqual(["b", "c"]);
    expect(frame?.log).toMatchObject({
      origin: SELF,
      after: first.timestamp,
      claim: { timestamp: last.timestamp, start: startId(1) },
    });
    expect(desk.pump()).toEqual([]);
  });

  it("sends nothing that is not durable (S7)", () => {
    const desk = new Desk();
    desk.want(SELF, 0);
    desk.pump();
    desk.lone.write("a", "1");
    const group = desk.lone.replica.takeGroup();
    desk.sender.pump(desk.session, NOW_MS);
    expect(desk.outbox.take()).toEqual([]);
    if (group !== undefined) desk.lone.tables.apply(group);
    desk.lone.replica.groupDurable();
    expect(keysOf(desk.pump())).toEqual(["a"]);
  });

  it("sends nothing while a change of the members is not durable (S6)", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    desk.want(SELF, 0);
    desk.lone.write("a", "1");
    desk.lone.commit();
    replica.setMembers(replica.members.without(THIRD));
    desk.sender.pump(desk.session, NOW_MS);
    expect(desk.outbox.take()).toEqual([]);
    desk.lone.commit();
    const frames = desk.pump();
    expect(frames[0]?.members?.isRemoved(THIRD)).toBe(true);
    expect(keysOf(frames)).toEqual(["a"]);
    desk.lone.write("b", "2");
    desk.lone.commit();
    expect(desk.pump()[0]?.members).toBeUndefined();
  });

  it("cuts frames by bytes and at the ends of batches, and continues each where the last ended (W6)", () => {
    const desk = new Desk();
    for (let batch = 0; batch < 12; batch += 1) {
      const writes = Array.from({ length: 5 }, (_, index) => ({
        key: `${batch}-${index}` as KeyText,
        value: new Uint8Array(5000),
        expiresAtMs: 0,
      }));
      desk.lone.replica.write(writes, NOW_MS);
    }
    desk.lone.commit();
    desk.want(SELF, 0);
    const frames = desk.pump();
    expect(frames.length).toBeGreaterThan(3);
    expect(keysOf(frames)).toHaveLength(60);
    let after: Timestamp | undefined = 0;
    for (const { log } of frames) {
      expect(log?.after).toBe(after);
      after = log?.claim.timestamp;
      expect(log?.records.at(-1)?.moreFollows).toBe(false);
      const size = log?.records.reduce((sum, { bytes }) => sum + bytes.length, 0) ?? 0;
      expect(size).toBeLessThan(FRAME_BYTES_TARGET + 26_000);
    }
  });

  it("sends what has just become durable without reading it back", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    const recent = new RecentLog(replica.durableVector, 1_000_000);
    const sender = new Sender(replica, desk.knowledge, desk.outbox, recent, () => undefined);
    const before = replica.durableVector.get(SELF);
    for (let index = 0; index < 60; index += 1) desk.lone.write(`${index}`, "x".repeat(5000));
    recent.add(desk.lone.commit()?.records ?? [], replica.durableVector, replica.floors, () => true);
    sender.want(desk.session, SELF, before);
    sender.pump(desk.session, NOW_MS);
    const turn = (): Frame[] => {
      const actions = desk.outbox.take();
      desk.outbox.resume(NOW_MS);
      return actions.flatMap((action) =>
        action.kind === "send" && action.message.kind === "frame" ? action.message : [],
      );
    };
    const frames = turn();
    expect(frames).toHaveLength(1);
    // In between the transport may say that it takes no more.
    desk.session.blocked = true;
    frames.push(...turn());
    expect(frames).toHaveLength(2);
    expect(turn()).toEqual([]);
    desk.session.blocked = false;
    sender.pump(desk.session, NOW_MS);
    for (let sent = turn(); sent.length > 0; sent = turn()) {
      expect(sent).toHaveLength(1);
      frames.push(...sent);
    }
    expect(keysOf(frames)).toHaveLength(60);
    expect(frames.length).toBeGreaterThan(4);
  });

  it("takes turns between origins, so that a busy one starves nobody", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    for (let index = 0; index < 60; index += 1) desk.lone.write(`${index}`, "x".repeat(5000));
    replica.accept(THIRD, [], positionAt(timestampFromMs(NOW_MS)), NOW_MS);
    desk.lone.commit();
    desk.want(SELF, 0);
    desk.want(THIRD, 0);
    const origins = desk.pump().map(({ log }) => log?.origin);
    expect(origins.indexOf(THIRD)).toBe(1);
    expect(origins.length).toBeGreaterThan(4);
  });

  it("stops when the link is full or the peer wants no more", () => {
    const desk = new Desk();
    desk.want(SELF, 0);
    desk.pump();
    desk.lone.write("a", "1");
    desk.lone.commit();
    desk.session.blocked = true;
    expect(desk.pump()).toEqual([]);
    desk.session.blocked = false;
    desk.want(SELF, undefined);
    expect(keysOf(desk.pump())).toEqual([]);
  });

  it("drops what it has read when the peer asks anew meanwhile", () => {
    const desk = new Desk();
    const first = desk.lone.write("a", "1");
    desk.lone.write("b", "2");
    desk.lone.commit();
    desk.want(SELF, 0);
    desk.sender.pump(desk.session, NOW_MS);
    desk.want(SELF, first.timestamp);
    expect(keysOf(desk.frames())).toEqual(["b"]);
  });

  it("ends the session of a peer whose position is below the floor (F3)", () => {
    const desk = new Desk();
    const { timestamp } = desk.lone.write("a", "1");
    desk.lone.commit();
    desk.lone.replica.setHorizon(timestamp, new Set([SELF]));
    desk.lone.replica.setFloor(SELF, timestamp - 1);
    desk.want(SELF, timestamp - 2);
    desk.pump();
    desk.lone.write("b", "2");
    desk.lone.commit();
    desk.pump();
    expect(desk.closed).toEqual(["BEHIND"]);
  });

  it("ends the session when its log cannot be read", () => {
    const desk = new Desk();
    desk.lone.write("a", "1");
    desk.lone.commit();
    desk.want(SELF, 0);
    desk.sender.pump(desk.session, NOW_MS);
    for (const action of desk.outbox.take()) {
      if (action.kind === "scan")
        desk.outbox.scanned(action.id, { kind: "failed", message: "bad block" }, NOW_MS);
    }
    expect(desk.closed).toEqual(["STORAGE_FAILED"]);
  });

  it("tells each change of its vector once, and hearsay of third members only", () => {
    const desk = new Desk();
    desk.knowledge.learn(THIRD, new VersionVector([[SELF, positionAt(5)]]), undefined);
    desk.knowledge.learn(PEER, new VersionVector([[SELF, positionAt(6)]]), undefined);
    expect(desk.sender.hasHearsay(desk.session)).toBe(true);
    desk.lone.write("a", "1");
    desk.lone.commit();
    desk.session.ackDue = true;
    desk.session.hearsayDue = true;
    const [frame] = desk.pump();
    expect(frame?.heard.map(({ member }) => member)).toEqual([THIRD]);
    expect([...(frame?.vector.origins() ?? [])]).toEqual([SELF]);
    expect(desk.sender.hasHearsay(desk.session)).toBe(false);
    desk.session.ackDue = true;
    expect(desk.pump()[0]).toMatchObject({ heard: [], vector: new VersionVector() });
    desk.knowledge.learn(THIRD, new VersionVector([[SELF, positionAt(7)]]), undefined);
    expect(desk.sender.hasHearsay(desk.session)).toBe(true);
  });
});
