import { LoneReplica, replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { EPOCH_MS, timestampFromMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import type { Hello, PeerMessage, PeerState } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Peering } from "./peering.ts";
import { PEERING_DEFAULTS } from "./peering-config.ts";

const [SELF, PEER] = [replicaId(1), replicaId(2)];
const NOW_MS = EPOCH_MS + 1_000_000;
const LINK = 1;

/** A replica that a peer of a certain state has greeted; tells what it answers. */
class Desk {
  readonly lone = new LoneReplica(SELF, NOW_MS, [PEER]);
  readonly outbox = new Outbox();
  readonly peering = new Peering(this.lone.replica, this.outbox, PEERING_DEFAULTS);

  greet(state: PeerState): string[] {
    this.lone.commit();
    this.peering.linkOpened({ link: LINK, dialled: false, invited: false, address: "" }, NOW_MS);
    const { replica } = this.lone;
    const hello: Hello = {
      kind: "hello",
      protocolMin: 1,
      protocolMax: 1,
      mesh: replica.identity.mesh,
      replicaId: PEER,
      starts: [{ id: startId(7), recovered: 0 }],
      state,
      invited: false,
      address: "",
      wallMs: NOW_MS,
      clock: timestampFromMs(NOW_MS),
      members: replica.members,
      vector: new VersionVector(),
      horizon: 0,
      floors: new Map(),
    };
    return this.tell(hello);
  }

  /** Tells it a message; returns what it sends and whether it closes. */
  tell(message: PeerMessage): string[] {
    this.peering.received(LINK, message, NOW_MS);
    return this.lone.settle(this.outbox).flatMap((action) => {
      if (action.kind === "send") return action.message.kind;
      return action.kind === "close" ? `close ${action.code}` : [];
    });
  }
}

const REQUESTS: readonly PeerMessage[] = [
  { kind: "join", abandoned: undefined },
  { kind: "copy", after: undefined },
  { kind: "copy-settled", after: undefined },
  { kind: "offer", records: [], branches: new Map(), end: undefined },
  { kind: "confirm" },
];

describe("a source", () => {
  it("serves a joiner step by step", () => {
    const desk = new Desk();
    expect(desk.greet("joining")).toEqual(["hello"]);
    expect(desk.tell({ kind: "join", abandoned: undefined })).toEqual(["granted"]);
    expect(desk.tell({ kind: "copy", after: undefined })).toEqual(["copied"]);
    expect(desk.tell({ kind: "copy-settled", after: undefined })).toEqual(["copied-settled"]);
    expect(desk.tell({ kind: "want", origin: SELF, after: 0 })).toContain("frame");
    expect(desk.tell({ kind: "offer", records: [], branches: new Map(), end: undefined })).toContain(
      "adopted",
    );
    expect(desk.tell({ kind: "confirm" })).toContain("confirmed");
  });

  it.each(REQUESTS)("takes no $kind from a member that is none", (request) => {
    const desk = new Desk();
    desk.greet("ready");
    expect(desk.tell(request)).toContain("close UNAVAILABLE");
  });

  it.each(REQUESTS)("serves no $kind while it is itself about to be replaced", (request) => {
    const desk = new Desk();
    desk.greet("joining");
    desk.peering.rejoining = true;
    expect(desk.tell(request)).toContain("close UNAVAILABLE");
  });

  it.each(REQUESTS)("takes no $kind before a hello", (request) => {
    const desk = new Desk();
    desk.peering.linkOpened({ link: LINK, dialled: true, invited: false, address: "" }, NOW_MS);
    expect(desk.tell(request)).toEqual(["hello", "refuse", "close INTERNAL"]);
  });

  it("removes the predecessor with a note, at the end of the offers", () => {
    const desk = new Desk();
    const [predecessor, offered] = [replicaId(9), new VersionVector()];
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    desk.tell({ kind: "want", origin: SELF, after: 0 });
    desk.tell({ kind: "offer", records: [], branches: new Map(), end: { predecessor, vector: offered } });
    const { members } = desk.lone.replica;
    expect(members.isRemoved(predecessor)).toBe(true);
    expect(members.get(predecessor)?.succession).toMatchObject({ successor: PEER, adopter: SELF, offered });
  });

  it("stays, with a note, when the predecessor is a copy of its own directory", () => {
    const desk = new Desk();
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    desk.tell({ kind: "want", origin: SELF, after: 0 });
    const end = { predecessor: SELF, vector: new VersionVector() };
    desk.tell({ kind: "offer", records: [], branches: new Map(), end });
    const { members } = desk.lone.replica;
    expect(members.has(SELF)).toBe(true);
    expect(members.get(SELF)?.succession).toMatchObject({ successor: PEER, adopter: SELF });
  });

  it("drops a successor that never took its place, once the replica has rejoined under another id", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    const [predecessor, ghost] = [replicaId(9), replicaId(5)];
    const self = replica.members.get(SELF);
    if (self === undefined) throw new Error("it is a member of its own mesh");
    const vector = new VersionVector();
    const note = { successor: ghost, adopter: SELF, adoptedAt: 1, offered: vector, held: vector };
    replica.setMembers(replica.members.with(ghost, self).without(predecessor, note));
    expect(replica.members.has(ghost)).toBe(true);
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    desk.tell({ kind: "want", origin: SELF, after: 0 });
    desk.tell({ kind: "offer", records: [], branches: new Map(), end: { predecessor, vector } });
    expect(replica.members.isRemoved(ghost)).toBe(true);
    expect(replica.members.get(predecessor)?.succession?.successor).toBe(PEER);
  });

  it("removes an attempt that the joiner has given up", () => {
    const desk = new Desk();
    const { replica } = desk.lone;
    const attempt = replicaId(5);
    const self = replica.members.get(SELF);
    replica.setMembers(self === undefined ? replica.members : replica.members.with(attempt, self));
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: attempt });
    expect(replica.members.isRemoved(attempt)).toBe(true);
  });
});
