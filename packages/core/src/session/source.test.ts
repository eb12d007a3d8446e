import { LoneReplica, replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import { makeRecord, type WriteRecord } from "../record.ts";
import { settlingsOf } from "../replica/settling.ts";
import type { ScanRequest } from "../table.ts";
import { EPOCH_MS, timestampFromMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import {
  type Copied,
  type Hello,
  type PeerMessage,
  type PeerState,
  PROTOCOL_MAX,
  PROTOCOL_MIN,
} from "./messages.ts";
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
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
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

  /** The key that follows in the order of keys. */
  keyAfter(key: KeyText | undefined): KeyText | undefined {
    return [...this.lone.tables.entries.keys()]
      .sort((a, b) => (a < b ? -1 : 1))
      .find((other) => key === undefined || other > key);
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
  { kind: "offer", records: [], branches: new Map(), seen: undefined, end: undefined },
  { kind: "confirm" },
];

describe("a source", () => {
  it("reads the chunk that will be asked for next while the joiner merges the last one", () => {
    const desk = new Desk();
    for (let index = 0; index < 300; index += 1) desk.lone.write(`key${index}`, "x".repeat(4000));
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    /** What it sends, and how many scans it asks for; those are answered later. */
    const ask = (after: KeyText | undefined): { copied: Copied[]; scans: number[] } => {
      desk.peering.received(LINK, { kind: "copy", after }, NOW_MS);
      return take();
    };
    const take = (): { copied: Copied[]; scans: number[] } => {
      const copied: Copied[] = [];
      const scans: number[] = [];
      for (const action of desk.outbox.take()) {
        if (action.kind === "scan") {
          scans.push(action.id);
          requests.set(action.id, action.request);
        } else if (action.kind === "send" && action.message.kind === "copied") copied.push(action.message);
      }
      return { copied, scans };
    };
    const requests = new Map<number, ScanRequest>();
    const answer = (id: number): void => {
      const request = requests.get(id);
      if (request === undefined) throw new Error("no such scan");
      desk.outbox.scanned(id, desk.lone.tables.scan(request), NOW_MS);
    };
    const first = ask(undefined);
    expect(first).toMatchObject({ copied: [], scans: [expect.any(Number)] });
    answer(first.scans[0] ?? 0);
    const { copied, scans } = take();
    expect(copied).toHaveLength(1);
    expect(scans).toHaveLength(1);
    const last = copied[0]?.entries.at(-1)?.winner.key;
    // Asked for while it is still read, …
    expect(ask(last)).toEqual({ copied: [], scans: [] });
    answer(scans[0] ?? 0);
    const second = take();
    expect(second.copied).toHaveLength(1);
    expect(second.copied[0]?.entries[0]?.winner.key).toBe(desk.keyAfter(last));
    // … when it is there already, …
    answer(second.scans[0] ?? 0);
    expect(take()).toEqual({ copied: [], scans: [] });
    const third = ask(second.copied[0]?.entries.at(-1)?.winner.key);
    expect(third.copied[0]?.entries[0]?.winner.key).toBe(
      desk.keyAfter(second.copied[0]?.entries.at(-1)?.winner.key),
    );
    // … and another one than was expected.
    const again = ask(last);
    expect(again.copied).toEqual([]);
    answer(again.scans[0] ?? 0);
    expect(take().copied[0]?.entries[0]?.winner.key).toBe(desk.keyAfter(last));
  });

  it("serves a joiner step by step", () => {
    const desk = new Desk();
    expect(desk.greet("joining")).toEqual(["hello"]);
    expect(desk.tell({ kind: "join", abandoned: undefined })).toEqual(["granted"]);
    expect(desk.tell({ kind: "copy", after: undefined })).toEqual(["copied"]);
    expect(desk.tell({ kind: "copy-settled", after: undefined })).toEqual(["copied-settled"]);
    expect(desk.tell({ kind: "want", origin: SELF, after: 0 })).toContain("frame");
    expect(
      desk.tell({ kind: "offer", records: [], branches: new Map(), seen: undefined, end: undefined }),
    ).toContain("adopted");
    expect(desk.tell({ kind: "confirm" })).toContain("confirmed");
  });

  it("adopts a delete that settles a write, although the write is known here by the same name", () => {
    const desk = new Desk();
    const write = desk.lone.write("key", "deleted elsewhere");
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    desk.tell({ kind: "want", origin: SELF, after: 0 });
    const elsewhere = { timestamp: write.timestamp + 1, origin: PEER };
    const records = [...settlingsOf([write], () => elsewhere)];
    desk.tell({ kind: "offer", records, branches: new Map(), seen: undefined, end: undefined });
    expect(desk.lone.replica.entry(write.key)?.winner.isDelete).toBe(true);
  });

  it.each([
    ["a write of the right time, ahead of the present", 56],
    ["another write of a clock that ran ahead", 1_800_000],
  ])("lets what won by a clock that ran ahead win over %s", (_, loserMs) => {
    const desk = new Desk();
    desk.greet("joining");
    desk.tell({ kind: "join", abandoned: undefined });
    desk.tell({ kind: "want", origin: SELF, after: 0 });
    const write = (afterMs: number, value: string): WriteRecord =>
      makeRecord({
        timestamp: timestampFromMs(NOW_MS + afterMs),
        origin: replicaId(9),
        key: "key" as KeyText,
        isDelete: value === "",
        value: new TextEncoder().encode(value),
        expiresAtMs: 0,
        context: [],
        moreFollows: false,
        adopted: undefined,
      });
    const [winner, loser] = [write(3_600_000, ""), write(loserMs, "lost")];
    desk.tell({
      kind: "offer",
      records: [winner, loser],
      branches: new Map(),
      seen: undefined,
      end: undefined,
    });
    const entry = desk.lone.replica.entry(winner.key);
    expect(entry?.winner.adopted?.timestamp).toBe(winner.timestamp);
    expect(entry?.siblings.map(({ adopted }) => adopted?.timestamp)).toEqual([loser.timestamp]);
    expect(desk.lone.replica.clock.last).toBeLessThan(timestampFromMs(NOW_MS + 60_000));
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
    desk.tell({
      kind: "offer",
      records: [],
      branches: new Map(),
      seen: undefined,
      end: { predecessor, vector: offered },
    });
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
    desk.tell({ kind: "offer", records: [], branches: new Map(), seen: undefined, end });
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
    desk.tell({
      kind: "offer",
      records: [],
      branches: new Map(),
      seen: undefined,
      end: { predecessor, vector },
    });
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
