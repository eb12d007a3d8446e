import { type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { InvariantError } from "../invariant.ts";

type Two = [WiredHost, WiredHost];

function reasons(host: WiredHost): unknown[] {
  return host.events.filter(({ name }) => name === "rejoining").map(({ details }) => details.code);
}

function agree(...hosts: readonly WiredHost[]): boolean {
  return (
    new Set(
      hosts.map(({ values }) =>
        JSON.stringify(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      ),
    ).size === 1
  );
}

describe("a restored directory", () => {
  it("rejoins under a new id: it loses nothing that it wrote since, and hides nothing that peers have", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    b.write({ early: "1" });
    wired.pass(500);
    const image = b.image();
    b.write({ late: "2" });
    wired.pass(500);
    const old = b.replica.id;
    wired.stop(b);
    b.restore(image);
    wired.cut(a, b);
    wired.start("b", { peers: ["a"] });
    b.write({ restored: "3", late: "other" });
    wired.pass(500);
    expect(b.replica.id).toBe(old);
    wired.heal(a, b);
    wired.until("it is new", () => b.replica.id !== old);
    wired.until("they agree", () => agree(a, b) && Object.keys(a.values).length === 3);
    expect(a.values).toEqual({ early: "1", late: "other", restored: "3" });
    expect(a.conflicts("late")).toEqual(["2"]);
    expect(b.conflicts("late")).toEqual(["2"]);
    expect(reasons(b)).toContain("ROLLED_BACK");
    expect(a.replica.members.isRemoved(old)).toBe(true);
  });

  it("rejoins also when it has written nothing", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    const image = b.image();
    b.write({ late: "2" });
    wired.pass(500);
    const old = b.replica.id;
    wired.stop(b);
    b.restore(image);
    wired.start("b", { peers: ["a"] });
    wired.until("it is new", () => b.replica.id !== old);
    wired.until("they agree", () => agree(a, b));
    expect(b.values).toEqual({ late: "2" });
  });
});

describe("a copied directory", () => {
  it("lives on under a new id beside its original, and neither loses a write", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    b.write({ common: "1" });
    wired.pass(500);
    wired.stop(b);
    const image = b.image();
    const c = wired.start("c");
    wired.stop(c);
    c.restore(image);
    wired.start("b", { peers: ["a"] });
    wired.start("c", { peers: ["a"] });
    b.write({ original: "2" });
    c.write({ copy: "3" });
    wired.until(
      "three are members",
      () => [a, b, c].every((host) => host.replica.members.current().length === 3),
      120_000,
    );
    wired.until("all have all", () => agree(a, b, c) && Object.keys(a.values).length === 3);
    expect(a.values).toEqual({ common: "1", original: "2", copy: "3" });
    expect(b.replica.id).not.toBe(c.replica.id);
  });
});

describe("a damaged directory", () => {
  it("rejoins, and what peers have is there again (W5)", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    b.write({ lost: "1", kept: "2" });
    wired.pass(2000);
    const old = b.replica.id;
    b.tables.entries.delete("lost" as never);
    b.host.change(b.wallMs, ({ replica }) => replica.setIdentity({ ...replica.identity, damaged: true }));
    wired.breakLinks(a, b);
    wired.until("it is new", () => b.replica.id !== old);
    wired.until("they agree", () => agree(a, b));
    expect(b.values).toEqual({ lost: "1", kept: "2" });
    expect(b.replica.identity.damaged).toBe(false);
    expect(reasons(b)).toContain("STORAGE_FAILED");
  });
});

describe("clocks", () => {
  it("too far apart: the peers wait, loudly, and go on when they agree (C1)", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    const { id } = b.replica;
    wired.breakLinks(a, b);
    b.offsetMs = 61_000;
    wired.pass(1000);
    b.write({ early: "1" });
    a.write({ mine: "2" });
    wired.pass(5000);
    expect([a.values, b.values]).toEqual([{ mine: "2" }, { early: "1" }]);
    expect(a.events.some(({ details }) => details.code === "CLOCK_SKEW")).toBe(true);
    a.offsetMs = 61_000;
    wired.until("they agree", () => agree(a, b));
    expect(a.values).toEqual({ early: "1", mine: "2" });
    expect(b.replica.id).toBe(id);
  });

  it("a logical clock far ahead: its owner rejoins when its wall clock is right again, and drags nobody along (C5)", () => {
    const wired = new WiredHosts();
    const [a, b] = wired.mesh("a", "b") as Two;
    const old = b.replica.id;
    wired.cut(a, b);
    b.offsetMs = 10 * 365 * 86_400_000;
    wired.pass(1000);
    b.write({ future: "1", both: "future" });
    wired.pass(1000);
    b.offsetMs = 0;
    a.write({ both: "present" });
    wired.heal(a, b);
    wired.until("it is new", () => b.replica.id !== old);
    wired.until("they agree", () => agree(a, b) && a.values.future === "1");
    a.write({ both: "later" });
    wired.pass(500);
    expect(b.values).toEqual({ future: "1", both: "later" });
    const aheadMs = (host: WiredHost) => host.replica.clock.last / 4096 + 1_704_067_200_000 - wired.nowMs;
    expect(Math.max(aheadMs(a), aheadMs(b))).toBeLessThan(10_000);
  });

  it("off the median of three: the one that is off says so (C2)", () => {
    const wired = new WiredHosts();
    const [a, b, c] = wired.mesh("a", "b", "c") as [WiredHost, WiredHost, WiredHost];
    b.offsetMs = 50_000;
    wired.pass(1000);
    expect([a, b, c].map(({ host }) => host.active.peering.isClockOff())).toEqual([false, true, false]);
    wired.cut(b, c);
    wired.pass(100);
    expect(b.host.active.peering.isClockOff()).toBe(false);
  });
});

describe("a log over its budget", () => {
  it("costs the member that holds the horizon back its membership, and that rejoins later without loss (M4)", () => {
    const wired = new WiredHosts();
    const config = { logBudgetBytes: 20_000 };
    const [a, b] = ["a", "b"].map((name) => wired.start(name, { ...config, peers: ["a"] })) as Two;
    wired.until("both are members", () => a.replica.members.current().length === 2);
    const old = b.replica.id;
    wired.cut(a, b);
    b.write({ lonely: "1" });
    a.write(Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, "x".repeat(1000)])));
    wired.pass(1000);
    expect(a.replica.members.isRemoved(old)).toBe(true);
    wired.untilForgotten(a);
    wired.heal(a, b);
    wired.until("they agree", () => agree(a, b) && a.values.lonely === "1");
    expect(b.replica.id).not.toBe(old);
  });
});

describe("writes during a handover", () => {
  it("are held while it is frozen, and taken by the successor", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write({ mine: "1" });
    wired.pass(500);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    const thrown: unknown[] = [];
    wired.mayDeliver = ({ message }) => {
      if (message.kind !== "offer" || !b.host.isFrozen) return true;
      try {
        b.write({ refused: "2" });
      } catch (error) {
        thrown.push(error);
      }
      return true;
    };
    wired.until("they are one", () => b.replica.members.current().length === 2 && !b.host.isFrozen);
    expect(thrown[0]).toBeInstanceOf(InvariantError);
    b.write({ after: "3" });
    wired.until("they agree", () => agree(a, b));
    expect(a.values).toEqual({ mine: "1", after: "3" });
  });

  it("are held only at its end, however long the offers before take", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write({ mine: "1" });
    wired.pass(500);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    let offers = 0;
    wired.mayDeliver = ({ message }) => {
      if (message.kind === "offer") offers += 1;
      if (message.kind === "offer" && offers === 1) a.holdsCommits = true;
      return true;
    };
    wired.until("the first offer is under way", () => offers === 1);
    wired.pass(6000);
    expect([b.host.isFrozen, offers]).toEqual([false, 1]);
    a.holdsCommits = false;
    a.makeDurable();
    wired.collect(a);
    wired.until("they are one", () => b.replica.members.current().length === 2 && !b.host.isFrozen);
    expect(b.count("rejoin-failed")).toBe(0);
    wired.until("they agree", () => agree(a, b) && a.values.mine === "1");
  });

  it("go on after five seconds when the source does not answer", () => {
    const wired = new WiredHosts();
    const a = wired.start("a");
    const b = wired.start("b");
    b.write({ mine: "1" });
    wired.pass(500);
    wired.stop(b);
    wired.start("b", { peers: ["a"] });
    let answered = 0;
    wired.mayDeliver = ({ message }) => {
      if (message.kind === "adopted") answered += 1;
      return message.kind !== "adopted" || answered !== 2;
    };
    wired.until("it is frozen", () => b.host.isFrozen);
    wired.pass(5200);
    expect(b.host.isFrozen).toBe(false);
    b.write({ more: "2" });
    wired.until("they agree", () => agree(a, b) && a.values.more === "2", 120_000);
    expect(a.replica.members.current()).toHaveLength(2);
  });
});
