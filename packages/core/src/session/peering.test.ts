import { replicaId, type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { positionAt } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import { timestampFromMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";

/** Records that were delivered from one host to another. */
function recordsSent(wired: WiredHosts, from: WiredHost, to: WiredHost): readonly WriteRecord[] {
  return wired.delivered.flatMap((sent) =>
    sent.from === from.name && sent.to === to.name && sent.message.kind === "frame"
      ? (sent.message.log?.records ?? [])
      : [],
  );
}

function refusals(wired: WiredHosts): string[] {
  return wired.delivered.flatMap(({ message }) => (message.kind === "refuse" ? message.code : []));
}

describe("a replica that was removed", () => {
  it("forgets nothing more: its members do not wait for it", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    wired.cut(a, b);
    const { id, members, horizon } = a.replica;
    b.write({ other: "1" });
    wired.pass(500);
    // It hears of its removal, and of what the others have by now, and not their writes.
    a.host.active.peering.knowledge.learn(b.replica.id, b.replica.durableVector, [id]);
    a.host.change(wired.nowMs, ({ replica }) => replica.setMembers(members.without(id)));
    wired.pass(3000);
    expect(a.replica.horizon).toBe(horizon);
    for (const [origin, floor] of a.replica.floors)
      expect(floor).toBeLessThanOrEqual(a.replica.vector.get(origin));
  });
});

describe("a mesh of three", () => {
  it("sends each record over each link once", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    wired.delivered.length = 0;
    a.write({ one: "1" });
    b.write({ two: "2" });
    wired.settle();
    wired.pass(2000);
    for (const host of [a, b, c]) expect(host.values).toEqual({ one: "1", two: "2" });
    expect(recordsSent(wired, a, b)).toHaveLength(1);
    expect(recordsSent(wired, a, c)).toHaveLength(1);
    expect(recordsSent(wired, b, c)).toHaveLength(1);
    expect(recordsSent(wired, c, a)).toHaveLength(0);
    expect(recordsSent(wired, c, b)).toHaveLength(0);
  });

  it("relays along a chain, and goes back to the direct way when there is one", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    wired.cut(a, c);
    a.write({ far: "1" });
    wired.pass(500);
    expect(c.values).toEqual({ far: "1" });
    expect(recordsSent(wired, b, c).filter(({ origin }) => origin === a.replica.id)).toHaveLength(1);
    wired.heal(a, c);
    wired.until("the direct link is back", () => c.linkedPeers.includes(a.replica.id));
    wired.delivered.length = 0;
    a.write({ near: "2" });
    wired.pass(500);
    expect(recordsSent(wired, a, c)).toHaveLength(1);
    expect(recordsSent(wired, b, c)).toHaveLength(0);
  });

  it("takes an origin that is gone from whoever has most of it", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    wired.cut(a, c);
    wired.cut(b, c);
    a.write({ last: "words" });
    wired.pass(200);
    wired.stop(a);
    wired.heal(b, c);
    wired.until("the survivors agree", () => c.values.last === "words");
    expect(recordsSent(wired, b, c)).toHaveLength(1);
  });

  it("goes on after a frame was lost: the receiver sees the gap and opens the session anew", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    let lost = 0;
    wired.mayDeliver = ({ from, message }) => {
      if (lost > 0 || from !== "a" || message.kind !== "frame" || message.log?.records.length !== 1)
        return true;
      lost += 1;
      return false;
    };
    a.write({ lost: "1" });
    wired.settle();
    a.write({ next: "2" });
    wired.settle();
    expect(lost).toBe(1);
    expect(b.values).toEqual({});
    expect(refusals(wired)).toEqual(["INTERNAL"]);
    wired.until("both arrive", () => Object.keys(b.values).length === 2);
    expect(b.values).toEqual({ lost: "1", next: "2" });
  });

  it("keeps a batch together however often its link breaks", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    const batch = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`k${index}`, "x".repeat(5000)]),
    );
    let breaks = 0;
    wired.mayDeliver = ({ from, message }) => {
      if (from === "a" && message.kind === "frame" && (message.log?.records.length ?? 0) > 0 && breaks < 3) {
        breaks += 1;
        wired.breakLinks(a, b);
      }
      return true;
    };
    a.write(batch);
    wired.until("the batch arrives", () => {
      expect([0, 40]).toContain(Object.keys(b.values).length);
      return Object.keys(b.values).length === 40;
    });
    expect(breaks).toBe(3);
  });

  it("tells nobody what is not durable", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    a.holdsCommits = true;
    const [record] = a.write({ early: "1" });
    wired.pass(1000);
    expect(b.values).toEqual({});
    expect(b.replica.vector.get(a.replica.id)).toBeLessThan(record?.timestamp ?? 0);
    a.holdsCommits = false;
    a.makeDurable();
    wired.settle();
    expect(b.values).toEqual({ early: "1" });
  });

  it("sends nothing into a link that is full, and everything when it is free again", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    wired.block(a, b, true);
    wired.delivered.length = 0;
    a.write({ key: "1" });
    wired.pass(1000);
    expect(wired.delivered.filter(({ from, to }) => from === "a" && to === "b")).toEqual([]);
    expect(c.values).toEqual({ key: "1" });
    wired.block(a, b, false);
    expect(b.values).toEqual({ key: "1" });
  });

  it("takes what a linked member has from that member alone, also where others tell it beside records", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    wired.block(b, a, true);
    const gone = replicaId(99);
    const more = new VersionVector([[gone, positionAt(timestampFromMs(wired.nowMs))]]);
    b.host.active.peering.knowledge.learn(c.replica.id, more, undefined);
    b.write({ key: "1" });
    wired.pass(500);
    wired.delivered.length = 0;
    wired.block(b, a, false);
    const told = wired.delivered.filter(
      ({ from, to, message }) =>
        from === "b" &&
        to === "a" &&
        message.kind === "frame" &&
        message.log !== undefined &&
        message.heard.some(({ member, vector }) => member === c.replica.id && vector.get(gone) > 0),
    );
    expect(told).toHaveLength(1);
    expect(a.host.active.peering.knowledgeOf(c.replica.id)?.vector.get(gone)).toBe(0);
  });

  it("forgets what all have, tombstones too", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    a.write({ kept: "1", gone: "2" });
    wired.settle();
    b.write({ gone: undefined, unknown: undefined });
    wired.untilForgotten(a, b, c);
    wired.pass(2000);
    for (const host of [a, b, c]) {
      expect([...host.tables.entries.keys()]).toEqual(["kept"]);
      expect(host.replica.logBytes).toBe(0);
    }
  });

  it("forgets nothing while a member is away, and catches up when it comes back", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    const [away, rejoins] = [c.replica.id, c.count("rejoining")];
    wired.stop(c);
    a.write({ gone: "1" });
    wired.settle();
    b.write({ gone: undefined });
    wired.pass(5000);
    expect(a.logLength).toBe(2);
    expect(a.host.active.peering.horizonBound?.heldBy).toBe(away);
    wired.start("c", { peers: ["a"] });
    wired.untilForgotten(a, b, c);
    expect(c.values).toEqual({});
    expect(c.replica.id).toBe(away);
    expect(c.count("rejoining")).toBe(rejoins);
  });
});

describe("two links between one pair", () => {
  it.each([
    ["a", "b"],
    ["b", "a"],
  ])("keep the one that the smaller id dialled: %s dials, then %s", (first, second) => {
    const wired = new WiredHosts();
    const hosts = Object.fromEntries(wired.mesh("a", "b").map((host) => [host.name, host])) as Record<
      string,
      WiredHost
    >;
    const { [first]: one, [second]: two } = hosts;
    if (one === undefined || two === undefined) throw new Error("both are there");
    wired.breakLinks(one, two);
    wired.settle();
    wired.dial(one, two);
    wired.dial(two, one);
    const smaller = one.replica.id < two.replica.id ? one : two;
    for (const host of [one, two]) {
      const { sessions } = host.host.active.peering;
      expect(sessions.map(({ mode }) => mode)).toEqual(["streaming"]);
      expect(sessions[0]?.info.dialled).toBe(host === smaller);
    }
    expect(refusals(wired)).toEqual([]);
    one.write({ key: "1" });
    wired.settle();
    expect(two.values).toEqual({ key: "1" });
  });
});
