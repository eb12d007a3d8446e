import { type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { compareMeshes } from "../replica/state.ts";

type Three = [WiredHost, WiredHost, WiredHost];

/** Hosts of one mesh, whose values, members and vectors agree. */
function expectAgreement(...hosts: readonly WiredHost[]): void {
  const [first, ...others] = hosts;
  if (first === undefined) return;
  for (const host of others) {
    expect(host.values).toEqual(first.values);
    expect(host.replica.members.current()).toEqual(first.replica.members.current());
    expect(compareMeshes(host.replica.identity.mesh, first.replica.identity.mesh)).toBe(0);
  }
}

function addressOf(host: WiredHost, of: WiredHost): string | undefined {
  return host.replica.members.get(of.replica.id)?.address;
}

describe("a start", () => {
  it("serves alone at once, and keeps its writes over a restart", () => {
    const wired = new WiredHosts();
    const a = wired.start("a", { peers: ["down"] });
    a.write({ key: "1" });
    wired.settle();
    expect(a.values).toEqual({ key: "1" });
    const { id } = a.replica;
    wired.stop(a);
    wired.start("a");
    expect(a.replica.id).toBe(id);
    expect(a.values).toEqual({ key: "1" });
    expect(a.replica.identity.starts).toHaveLength(2);
  });

  it("knows itself when it is its own peer", () => {
    const wired = new WiredHosts();
    const a = wired.start("a", { peers: ["a", "b"] });
    wired.pass(10_000);
    expect(a.host.active.peering.sessions).toEqual([]);
    expect(wired.delivered).toEqual([]);
  });

  it("stops dialling an address behind which it finds itself", () => {
    const wired = new WiredHosts();
    const a = wired.start("a", { peers: ["a"], address: "a:1" });
    wired.pass(10_000);
    const greetings = wired.delivered.filter(({ message }) => message.kind === "hello").length;
    expect(greetings).toBeGreaterThan(0);
    wired.pass(10_000);
    expect(wired.delivered.filter(({ message }) => message.kind === "hello")).toHaveLength(greetings);
    expect(a.count("rejoining")).toBe(0);
  });

  it("tells its new address when that has changed", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    expect(addressOf(b, a)).toBe("a");
    wired.stop(a);
    wired.start("a", { address: "a:2", peers: ["b"] });
    wired.until("b hears of it", () => addressOf(b, a) === "a:2");
  });
});

describe("meshes that meet", () => {
  it("become one when all are started together, each naming the others", () => {
    const wired = new WiredHosts();
    const names = ["a", "b", "c", "d"];
    const hosts = names.map((name) => wired.start(name, { peers: names.filter((other) => other !== name) }));
    hosts.forEach((host) => host.write({ [host.name]: "mine" }));
    wired.until("all are members of one mesh", () =>
      hosts.every((h) => h.replica.members.current().length === 4),
    );
    wired.until("all have all", () => hosts.every((h) => Object.keys(h.values).length === 4));
    wired.pass(2000);
    expectAgreement(...hosts);
  });

  it("become one, and the older stays, whoever was told of whom", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as [WiredHost, WiredHost];
    a.write({ old: "1", both: "old" });
    const oldMesh = a.replica.identity.mesh;
    wired.pass(1000);
    const [c, d] = wired.mesh("c", "d") as [WiredHost, WiredHost];
    c.write({ young: "2", both: "young" });
    wired.pass(1000);
    const ids = [a, b].map(({ replica }) => replica.id);
    wired.stop(a);
    wired.start("a", { peers: ["d"] });
    const all = [a, b, c, d];
    wired.until("all are members", () => all.every((h) => h.replica.members.current().length === 4));
    wired.until("all have all", () => all.every((h) => Object.keys(h.values).length === 3));
    wired.pass(2000);
    expectAgreement(...all);
    expect(a.replica.identity.mesh).toEqual(oldMesh);
    expect([a, b].map(({ replica }) => replica.id)).toEqual(ids);
    expect(a.values.both).toBe("young");
    expect(d.conflicts("both")).toEqual(["old"]);
  });

  it("stay apart when nobody brought them together", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    wired.dial(a, b);
    wired.pass(1000);
    expect(a.replica.members.current()).toEqual([a.replica.id]);
    expect(b.replica.members.current()).toEqual([b.replica.id]);
    expect(a.events.map(({ details }) => details.code)).toEqual(["WRONG_MESH"]);
  });
});

describe("a member that was removed", () => {
  function removed(wired: WiredHosts): Three {
    const [a, b, c] = wired.mesh("a", "b", "c") as Three;
    b.write({ shared: "1", deleted: "2" });
    wired.pass(500);
    wired.cut(a, c);
    wired.cut(b, c);
    c.write({ lonely: "3", shared: "c" });
    const nowMs = wired.nowMs;
    const asked = a.host.change(nowMs, ({ peering }) => peering.remove(c.replica.id, true, nowMs));
    expect(asked).toBe("done");
    a.write({ deleted: undefined });
    wired.untilForgotten(a, b);
    return [a, b, c];
  }

  it("is heard of no more, and does not hold anything back", () => {
    const wired = new WiredHosts();
    const [a, b, c] = removed(wired);
    for (const host of [a, b]) {
      expect(host.replica.members.isRemoved(c.replica.id)).toBe(true);
      expect(host.values).toEqual({ shared: "1" });
    }
    wired.pass(1000);
    expect([...a.tables.entries.keys()]).toEqual(["shared"]);
  });

  it("rejoins under a new id when it meets a member, and loses no write and brings back no deleted key", () => {
    const wired = new WiredHosts();
    const [a, b, c] = removed(wired);
    const old = c.replica.id;
    wired.heal(a, c);
    wired.heal(b, c);
    wired.until("it is back", () => c.replica.id !== old);
    wired.until("all agree", () => [a, b, c].every((h) => h.values.lonely === "3"));
    wired.pass(2000);
    expectAgreement(a, b, c);
    expect(a.values).toEqual({ shared: "c", lonely: "3" });
    expect(a.replica.members.get(old)?.succession?.successor).toBe(c.replica.id);
    expect(c.count("rejoined")).toBeGreaterThan(0);
  });

  it("serves reads from its old state, and takes writes, until it is replaced", () => {
    const wired = new WiredHosts();
    const [a, b, c] = removed(wired);
    const old = c.replica.id;
    let written = 0;
    let before = "";
    wired.mayDeliver = ({ from, to, message }) => {
      if (from === "c" && to !== "c" && message.kind === "copy" && written === 0) {
        written += 1;
        before = JSON.stringify(c.values);
        c.write({ meanwhile: "4" });
      }
      return true;
    };
    wired.heal(a, c);
    wired.heal(b, c);
    wired.until("it is back", () => c.replica.id !== old);
    wired.until("all agree", () => [a, b, c].every((h) => h.values.meanwhile === "4"));
    expect(before).toContain("lonely");
    expectAgreement(a, b, c);
    expect(a.values).toEqual({ shared: "c", lonely: "3", meanwhile: "4" });
  });
});

describe("Peering.remove", () => {
  it("refuses what makes no sense, and asks for force when a member cannot be asked", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as Three;
    const nowMs = wired.nowMs;
    const { peering } = a.host.active;
    expect(peering.remove(a.replica.id, false, nowMs)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(peering.remove("00000000000000ff" as typeof a.replica.id, false, nowMs)).toMatchObject({
      code: "MEMBER_NOT_FOUND",
    });
    wired.cut(a, b);
    wired.settle();
    expect(peering.remove(c.replica.id, false, nowMs)).toMatchObject({ code: "FORCE_REQUIRED" });
    expect(peering.remove(c.replica.id, true, nowMs)).toBe("done");
    expect(peering.remove(c.replica.id, false, nowMs)).toBe("done");
  });

  it("first pulls what others have of the leaver's writes", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as Three;
    wired.cut(a, c);
    wired.cut(a, b);
    c.write({ last: "words" });
    wired.pass(200);
    wired.stop(c);
    wired.heal(a, b);
    a.holdsCommits = true;
    wired.until("a and b are linked", () => a.linkedPeers.includes(b.replica.id));
    const leaver = b.replica.members.current().find((id) => id !== a.replica.id && id !== b.replica.id);
    if (leaver === undefined) throw new Error("c is a member");
    const ask = () => a.host.change(wired.nowMs, ({ peering }) => peering.remove(leaver, false, wired.nowMs));
    expect(ask()).toBe("pull");
    a.holdsCommits = false;
    a.makeDurable();
    wired.settle();
    expect(a.values).toEqual({ last: "words" });
    expect(ask()).toBe("done");
  });

  it("happens by itself to a member that is silent for too long while others are reached", () => {
    const wired = new WiredHosts();
    const config = { memberTimeoutMs: 5000 };
    const [a, b, c] = ["a", "b", "c"].map((name) => wired.start(name, { ...config, peers: ["a"] })) as Three;
    wired.until("all are members", () => [a, b, c].every((h) => h.replica.members.current().length === 3));
    const [second, third] = [b.replica.id, c.replica.id];
    wired.stop(c);
    wired.pass(4000);
    expect(a.replica.members.has(third)).toBe(true);
    wired.pass(2000);
    expect(a.replica.members.isRemoved(third)).toBe(true);
    wired.stop(b);
    wired.pass(20_000);
    expect(a.replica.members.has(second)).toBe(true);
  });
});
