/** What stays in the logs although every member has it. */
import { type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { HostConfig } from "../host/host.ts";

/** Two hosts with some hundred records written over ten seconds, of which some delete. */
function written(config: Partial<HostConfig>): { mesh: WiredHosts; hosts: readonly WiredHost[] } {
  const mesh = new WiredHosts();
  const hosts = [mesh.start("a", config), mesh.start("b", { ...config, peers: ["a"] })];
  mesh.until("both are linked", () => hosts.every((host) => host.linkedPeers.length === 1));
  for (let round = 0; round < 50; round += 1) {
    for (const host of hosts) {
      host.write({ [`${host.name}/${round}`]: "x".repeat(100) });
      host.write({ [`${host.name}/${round - 5}`]: undefined });
    }
    mesh.pass(200);
  }
  return { mesh, hosts };
}

const tombstones = (host: WiredHost): number =>
  [...host.tables.entries.values()].filter(({ winner }) => winner.isDelete).length;

describe("history", () => {
  it("is nothing when none is asked for", () => {
    const { mesh, hosts } = written({});
    mesh.untilForgotten(...hosts);
    for (const host of hosts) expect(tombstones(host)).toBe(0);
  });

  it("is kept for its age, with its tombstones, while the horizon goes on", () => {
    const { mesh, hosts } = written({ historyMs: 5000, historyBytes: 1e9 });
    mesh.pass(500);
    for (const host of hosts) {
      // Four records every 200 ms.
      expect(host.logLength).toBeGreaterThan(60);
      expect(host.logLength).toBeLessThan(130);
      expect(tombstones(host)).toBeGreaterThan(30);
      expect(Math.max(...host.replica.floors.values())).toBeLessThan(host.replica.horizon);
    }
    mesh.untilForgotten(...hosts);
    for (const host of hosts) expect(tombstones(host)).toBe(0);
  });

  it("is kept as far as it takes no more than its bytes", () => {
    const { mesh, hosts } = written({ historyMs: 3_600_000, historyBytes: 8000 });
    mesh.pass(2000);
    for (const host of hosts) {
      expect(host.replica.logBytes).toBeLessThanOrEqual(8000);
      expect(host.replica.logBytes).toBeGreaterThan(4000);
    }
    mesh.pass(60_000);
    for (const host of hosts) expect(host.replica.logBytes).toBeGreaterThan(4000);
  });

  it("takes no more than the disk has to spare, and what members lack stays", () => {
    const { mesh, hosts } = written({ historyMs: 3_600_000, historyBytes: 1e9 });
    const [a, b] = hosts as [WiredHost, WiredHost];
    const before = a.replica.logBytes;
    expect(before).toBeGreaterThan(10_000);
    a.spareBytes = 5000;
    mesh.pass(2000);
    expect(a.replica.logBytes).toBeLessThanOrEqual(5000);
    expect(b.replica.logBytes).toBe(before);
    mesh.cut(a, b);
    a.spareBytes = -1;
    for (let number = 0; number < 20; number += 1) a.write({ [`late/${number}`]: "x".repeat(100) });
    mesh.pass(2000);
    expect(a.logLength).toBeGreaterThanOrEqual(20);
    mesh.heal(a, b);
    mesh.until("b has all", () => b.values["late/19"] !== undefined);
  });

  it("gives way before a member is removed for what it lacks", () => {
    const { mesh, hosts } = written({ historyMs: 3_600_000, historyBytes: 1e9, logBudgetBytes: 20_000 });
    mesh.pass(2000);
    for (const host of hosts) {
      expect(host.replica.logBytes).toBeLessThanOrEqual(20_000);
      expect(host.replica.members.current()).toHaveLength(2);
    }
  });
});
