import { type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import { describe, expect, it, type MockInstance, vi } from "vitest";
import type { PeerMessage } from "./messages.ts";

const VALUE = "x".repeat(4000);

/** A host with 500 keys: eight chunks of a copy. */
function filledHost(wired: WiredHosts): WiredHost {
  const a = wired.start("a");
  a.write(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key${index}`, VALUE])));
  wired.pass(2000);
  return a;
}

/** A host that joins through `a` as its peer; founded later, so that it is the one that moves. */
function joiningHost(wired: WiredHosts, name = "b"): WiredHost {
  wired.nowMs += 1;
  return wired.start(name, { peers: ["a"] });
}

/** Acts at the n-th message of a kind. */
function onMessage(wired: WiredHosts, kind: PeerMessage["kind"], number: number, act: () => void): void {
  let seen = 0;
  wired.mayDeliver = ({ message }) => {
    if (message.kind === kind) seen += 1;
    if (message.kind === kind && seen === number) act();
    return true;
  };
}

function messages(wired: WiredHosts, kind: PeerMessage["kind"]): number {
  return wired.delivered.filter(({ message }) => message.kind === kind).length;
}

/** The link over which a host joins. */
function linkOf(host: WiredHost): number {
  const [session] = host.host.successor?.peering.sessions ?? [];
  if (session === undefined) throw new Error(`${host.name} does not join`);
  return session.link;
}

describe("a joiner", () => {
  it("copies everything in chunks, then serves and is a member", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(messages(wired, "copied")).toBeGreaterThan(4);
    expect(b.values).toEqual(a.values);
    expect(b.replica.liveKeys).toBe(a.replica.liveKeys);
    wired.pass(1000);
    expect(b.replica.durableDigest.encode()).toEqual(a.replica.durableDigest.encode());
    expect(a.count("rejoining")).toBe(0);
  });

  it("looks nothing up for the keys that come: they come in order, into tables that were empty", () => {
    const wired = new WiredHosts();
    filledHost(wired);
    const b = joiningHost(wired);
    let chunks = 0;
    let reads: number | undefined;
    let read: MockInstance | undefined;
    wired.mayDeliver = ({ message }) => {
      const table = b.host.successor?.table;
      if (message.kind === "copied") chunks += 1;
      if (message.kind === "copied" && table !== undefined) read ??= vi.spyOn(table, "entry");
      if (message.kind === "copy-settled") reads = read?.mock.calls.length;
      return true;
    };
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(chunks).toBeGreaterThan(4);
    expect(reads).toBe(0);
  });

  it("counts a key once that comes twice", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    let before: PeerMessage | undefined;
    wired.mayDeliver = ({ message }) => {
      if (message.kind !== "copied") return true;
      if (before !== undefined) b.host.successor?.peering.received(linkOf(b), before, wired.nowMs);
      before = message;
      return true;
    };
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(b.replica.liveKeys).toBe(a.replica.liveKeys);
    wired.pass(1000);
    expect(b.replica.durableDigest.encode()).toEqual(a.replica.durableDigest.encode());
  });

  it("is added before it is answered: the source's horizon waits for it from the first chunk on", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    const horizons: number[] = [];
    wired.mayDeliver = ({ message }) => {
      if (message.kind !== "copied") return true;
      expect(a.replica.members.current()).toHaveLength(2);
      if (horizons.length === 0) a.write({ key1: undefined, key499: "new" });
      wired.nowMs += 1000;
      a.host.tick(a.wallMs);
      wired.collect(a);
      horizons.push(a.replica.horizon);
      return true;
    };
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(horizons.length).toBeGreaterThan(4);
    expect(new Set(horizons).size).toBe(1);
    wired.pass(1000);
    expect(b.values).toEqual(a.values);
    expect(b.values.key1).toBeUndefined();
    expect(b.values.key499).toBe("new");
  });

  it("takes up a copy where a broken link left it", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    onMessage(wired, "copied", 4, () => wired.breakLinks(a, b));
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    const asked = wired.delivered.flatMap(({ message }) =>
      message.kind === "copy" ? [message.after ?? ""] : [],
    );
    expect(asked.filter((after) => after === "")).toHaveLength(1);
    expect(asked).toEqual(asked.toSorted());
    expect(messages(wired, "join")).toBe(2);
    expect(a.replica.members.removed()).toHaveLength(1);
    expect(b.values).toEqual(a.values);
  });

  it("starts afresh when its source has lost what the copy was begun with: its directory was restored", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    // A member that is away holds the horizon where it is.
    const away = wired.start("away", { peers: ["a"] });
    wired.until("it is a member", () => a.replica.members.current().length === 2);
    wired.stop(away);
    wired.pass(1000);
    const image = a.image();
    a.write({ key1: "late" });
    wired.settle();
    const b = joiningHost(wired);
    onMessage(wired, "copied", 4, () => {
      wired.stop(a);
      a.restore(image);
    });
    wired.until("the copy is broken off", () => !a.isRunning);
    wired.start("a");
    wired.until("b is a member", () => b.replica.members.current().length === 3);
    expect(a.values.key1).toBe(VALUE);
    expect(b.values).toEqual(a.values);
    expect(b.events.map(({ details }) => details.message)).toContain(
      "the source lost what the copy was begun with",
    );
  });

  it("starts afresh when its source is gone, and the mesh drops the attempt", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    const first = { successor: "" };
    onMessage(wired, "copied", 3, () => {
      first.successor = b.host.rejoin?.replicaId ?? "";
      wired.stop(a);
    });
    wired.until("the attempt is given up", () => b.count("rejoin-failed") > 0);
    expect(b.values).toEqual({});
    wired.start("a");
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(b.values).toEqual(a.values);
    expect(b.replica.id).not.toBe(first.successor);
    expect(a.replica.members.removed()).toContain(first.successor);
  });

  it("is dropped when it is silent for the lease", () => {
    const wired = new WiredHosts();
    const a = wired.start("a", { joinLeaseMs: 5000 });
    a.write({ key: "1" });
    wired.pass(1000);
    const b = joiningHost(wired);
    onMessage(wired, "copied", 1, () => wired.stop(b));
    wired.until("it was added", () => a.replica.members.current().length === 2);
    wired.pass(6000);
    expect(a.replica.members.current()).toEqual([a.replica.id]);
    expect(a.count("joiner-dropped")).toBe(1);
    a.write({ key: undefined });
    wired.untilForgotten(a);
    wired.mayDeliver = () => true;
    wired.start("b", { peers: ["a"] });
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    expect(b.values).toEqual({});
  });

  it("that never finished keeps nobody from removing a member", () => {
    const wired = new WiredHosts();
    const [a, gone] = wired.mesh("a", "gone") as [WiredHost, WiredHost];
    const b = joiningHost(wired);
    onMessage(wired, "copied", 1, () => wired.stop(b));
    wired.until("it was added", () => a.replica.members.current().length === 3);
    const { id } = gone.replica;
    wired.stop(gone);
    wired.pass(200);
    expect(a.replica.members.joining()).toHaveLength(1);
    expect(a.host.active.peering.remove(id, false, a.wallMs)).toBe("done");
  });

  it("once it has finished is asked like any other before a member is removed", () => {
    const wired = new WiredHosts();
    const [a, gone, b] = wired.mesh("a", "gone", "b") as [WiredHost, WiredHost, WiredHost];
    wired.pass(1000);
    expect(a.replica.members.joining()).toEqual([]);
    const { id } = gone.replica;
    wired.stop(gone);
    wired.stop(b);
    wired.pass(200);
    expect(a.host.active.peering.remove(id, false, a.wallMs)).toMatchObject({
      code: "FORCE_REQUIRED",
    });
  });

  it("asks for the last word before it serves: one that was dropped at the end starts afresh", () => {
    const wired = new WiredHosts();
    const a = filledHost(wired);
    const b = joiningHost(wired);
    onMessage(wired, "confirm", 1, () => {
      const dropped = b.host.rejoin?.replicaId;
      if (dropped === undefined) throw new Error("it confirms while it rejoins");
      a.host.change(a.wallMs, ({ replica }) => replica.setMembers(replica.members.without(dropped)));
      wired.collect(a);
    });
    wired.until("b is a member", () => b.replica.members.current().length === 2, 120_000);
    expect(b.count("rejoin-failed")).toBeGreaterThan(0);
    expect(a.replica.members.has(b.replica.id)).toBe(true);
    expect(b.values).toEqual(a.values);
  });

  it("copies settled conflicts and unsettled ones", () => {
    const wired = new WiredHosts();
    const [a, c] = wired.mesh("a", "c") as [WiredHost, WiredHost];
    wired.cut(a, c);
    a.write({ open: "1", closed: "1" });
    c.write({ open: "2", closed: "2" });
    wired.settle();
    wired.heal(a, c);
    wired.until("they conflict", () => a.conflicts("open").length === 1);
    a.write({ closed: "3" });
    wired.pass(1000);
    const b = joiningHost(wired);
    wired.until("b is a member", () => b.replica.members.current().length === 3);
    expect(b.conflicts("open")).toEqual(a.conflicts("open"));
    expect(b.conflicts("closed")).toEqual([]);
    expect([...b.tables.settled.keys()]).toEqual([...a.tables.settled.keys()]);
    expect(b.tables.settled.size).toBe(1);
  });
});

describe("a handover", () => {
  it("is given up when the source dies between the offers, and loses nothing when it is begun again", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write({ mine: "1", other: "2" });
    wired.pass(1000);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    onMessage(wired, "offer", 1, () => wired.stop(a));
    wired.until("it is given up", () => b.count("rejoin-failed") > 0);
    expect(b.values).toEqual({ mine: "1", other: "2" });
    expect(b.host.isFrozen).toBe(false);
    b.write({ third: "3" });
    wired.mayDeliver = () => true;
    wired.start("a");
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    wired.until("a has all", () => Object.keys(a.values).length === 3);
    expect(a.values).toEqual({ mine: "1", other: "2", third: "3" });
    expect(b.values).toEqual(a.values);
  });

  it("survives a source that dies when it has adopted: the second offer is recognised", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write({ mine: "1" });
    wired.pass(1000);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    onMessage(wired, "adopted", 1, () => wired.stop(a));
    wired.until("it is given up", () => b.count("rejoin-failed") > 0);
    wired.mayDeliver = () => true;
    wired.start("a");
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    wired.pass(1000);
    expect(a.values).toEqual({ mine: "1" });
    expect(b.values).toEqual({ mine: "1" });
    expect(a.conflicts("mine")).toEqual([]);
    expect(a.tables.entries.size).toBe(1);
  });

  it("hands over writes that come while it offers, and holds writes only for the last of them", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`key${index}`, VALUE])));
    wired.pass(1000);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    let [written, frozenOffers] = [0, 0];
    wired.mayDeliver = ({ message }) => {
      if (message.kind !== "offer") return true;
      if (b.host.isFrozen) frozenOffers += 1;
      else {
        written += 1;
        b.write({ [`late${written}`]: "1", key5: `again${written}` });
      }
      return true;
    };
    wired.until("b is a member", () => b.replica.members.current().length === 2);
    wired.pass(1000);
    expect(written).toBeGreaterThan(2);
    expect(frozenOffers).toBeGreaterThan(0);
    expect(a.values).toEqual(b.values);
    expect(Object.keys(a.values)).toHaveLength(300 + written);
    expect(a.values.key5).toBe(`again${written}`);
    expect(a.conflicts("key5")).toEqual([]);
  });
});
