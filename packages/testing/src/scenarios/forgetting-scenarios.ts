import {
  computeHorizon,
  judge,
  type KeyText,
  makeRecord,
  MemberSet,
  PEERING_DEFAULTS,
  positionAt,
  type ReplicaId,
  VersionVector,
  type WriteRecord,
} from "@meshkv/core";
import { LoneReplica } from "../lone-replica.ts";
import { replicaId } from "../arbitraries/identifiers.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, demand, type Scenario } from "./scenario.ts";

const NOW_MS = 1_767_225_600_000;
const [ONE, TWO, THREE] = [replicaId(1), replicaId(2), replicaId(3)];

function vectorOf(positions: Readonly<Record<string, number>>): VersionVector {
  return new VersionVector(
    Object.entries(positions).map(([number, timestamp]) => [
      replicaId(Number(number)),
      positionAt(timestamp),
    ]),
  );
}

/** Members 1 and 2, and 3 that has been removed. */
function membersAfterRemoval(): MemberSet {
  const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
  return new MemberSet([ONE, TWO, THREE].map((id) => [id, member] as const)).without(THREE);
}

function deleteThatNames(
  timestamp: number,
  origin: ReplicaId,
  seen: number,
  seenOrigin: ReplicaId,
): WriteRecord {
  return makeRecord({
    timestamp,
    origin,
    key: "key" as KeyText,
    isDelete: true,
    value: new Uint8Array(0),
    expiresAtMs: 0,
    context: [{ origin: seenOrigin, timestamp: seen }],
    moreFollows: false,
    adopted: undefined,
  });
}

export const FORGETTING_SCENARIOS: readonly Scenario[] = [
  {
    name: "a-member-that-was-never-heard-holds-the-horizon",
    run: () => {
      const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
      const members = new MemberSet([ONE, TWO].map((id) => [id, member] as const));
      const own = { vector: vectorOf({ 1: 50, 2: 50 }), removed: new Set<never>() };
      const bound = computeHorizon(members, (id) => (id === ONE ? own : undefined));
      demand(bound?.timestamp === 0 && bound.heldBy === TWO, "an unknown position stops the horizon");
    },
  },
  {
    name: "a-removed-origin-holds-the-horizon",
    run: () => {
      const vectors = new Map([
        [ONE, vectorOf({ 1: 50, 2: 50, 3: 40 })],
        [TWO, vectorOf({ 1: 50, 2: 50, 3: 10 })],
      ]);
      const bound = computeHorizon(membersAfterRemoval(), (id) => {
        const vector = vectors.get(id);
        return vector && { vector, removed: new Set([THREE]) };
      });
      demand(bound?.timestamp === 10, "what one member lacks of a removed origin is not forgotten");
    },
  },
  {
    name: "a-removal-is-known-before-it-is-forgotten",
    run: () => {
      const vector = vectorOf({ 1: 50, 2: 50, 3: 10 });
      const bound = computeHorizon(membersAfterRemoval(), (id) => ({
        vector,
        removed: new Set(id === ONE ? [THREE] : []),
      }));
      demand(bound?.timestamp === 0, "who has not heard of a removal may still take the leaver's writes");
    },
  },
  {
    name: "a-tombstone-waits-for-what-it-deleted",
    run: () => {
      // c hears a delete before the put that it names: the put travels on with another member.
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      wired.cut(a, c);
      wired.cut(b, c);
      c.write({ key: "old" });
      const leaver = c.replica.id;
      const nowMs = wired.nowMs;
      a.host.change(nowMs, ({ peering }) => peering.remove(leaver, true, nowMs));
      wired.settle();
      a.host.change(nowMs, ({ replica }) => {
        // The deleter had seen the put elsewhere: its delete names a version that has not arrived here.
        const [put] = c.tables.logs.get(leaver)?.slice(-1) ?? [];
        demand(put !== undefined, "c has written");
        const tombstone = deleteThatNames(replica.tick(nowMs), replica.id, put.timestamp, leaver);
        replica.setEntry("key" as KeyText, { winner: tombstone, siblings: [] });
        replica.group.records.push(tombstone);
      });
      wired.settle();
      wired.pass(10_000);
      for (const host of [a, b]) {
        const entry = host.tables.entries.get("key" as KeyText);
        demand(entry?.winner.isDelete === true, "the tombstone stays while what it deleted may arrive");
      }
    },
  },
  {
    name: "a-silent-member-is-removed",
    run: () => {
      const wired = new WiredHosts();
      const hosts = ["a", "b", "c"].map((name) => wired.start(name, { memberTimeoutMs: 5000, peers: ["a"] }));
      const [a, b, c] = hosts;
      if (a === undefined || b === undefined || c === undefined) return;
      wired.until("three are members", () => areMembers(hosts));
      wired.stop(c);
      a.write({ key: "1" });
      a.write({ key: undefined });
      wired.pass(8000);
      demand(areMembers([a, b], 2), "a member that is silent for too long is removed");
      wired.untilForgotten(a, b);
    },
  },
  {
    name: "who-is-alone-removes-nobody",
    run: () => {
      const wired = new WiredHosts();
      const hosts = ["a", "b"].map((name) => wired.start(name, { memberTimeoutMs: 5000, peers: ["a"] }));
      const [a, b] = hosts;
      if (a === undefined || b === undefined) return;
      wired.until("two are members", () => areMembers(hosts));
      wired.stop(b);
      wired.pass(30_000);
      demand(areMembers([a], 2), "silence counts only while somebody else is reached");
    },
  },
  {
    name: "a-member-beyond-the-log-budget-is-removed",
    run: () => {
      const wired = new WiredHosts();
      const config = { logBudgetBytes: 20_000, memberTimeoutMs: PEERING_DEFAULTS.memberTimeoutMs };
      const hosts = ["a", "b", "c"].map((name) => wired.start(name, { ...config, peers: ["a"] }));
      const [a, b, c] = hosts;
      if (a === undefined || b === undefined || c === undefined) return;
      wired.until("three are members", () => areMembers(hosts));
      wired.pass(1000);
      wired.stop(c);
      for (let round = 0; round < 60; round += 1) {
        a.write({ [`key ${round}`]: "x".repeat(500) });
        wired.pass(100);
      }
      wired.pass(2000);
      demand(areMembers([a, b], 2), "one dead peer does not fill a disk");
      demand(agree(a, b), "the others go on");
    },
  },
  {
    name: "a-removal-is-final",
    run: () => {
      const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
      const before = new MemberSet([ONE, TWO, THREE].map((id) => [id, member] as const));
      const after = before.without(THREE);
      for (const set of [after, after.merge(before), before.merge(after), after.with(THREE, member)])
        demand(set.isRemoved(THREE), "a removed member stays removed, whoever says otherwise");
    },
  },
  {
    name: "deadlines-are-not-in-the-digest",
    run: () => {
      const lone = new LoneReplica(ONE, NOW_MS);
      const empty = lone.replica.durableDigest.summary();
      lone.write("short", "lived", NOW_MS + 1000);
      lone.write("gone", "1");
      lone.write("gone", undefined);
      lone.commit();
      demand(
        lone.replica.durableDigest.summary() === empty,
        "what is forgotten at different times is not counted",
      );
      lone.write("kept", "1");
      lone.commit();
      demand(lone.replica.durableDigest.summary() !== empty, "what lives for ever is counted");
    },
  },
  {
    name: "who-lacks-what-was-cut-rejoins",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      wired.breakLinks(a, b);
      wired.until("they have met again", () => a.linkedPeers.length === 1 && b.linkedPeers.length === 1);
      const [mine, theirs] = ["a", "b"].map((name) =>
        wired.delivered
          .flatMap(({ from, message }) => (from === name && message.kind === "hello" ? [message] : []))
          .at(-1),
      );
      demand(mine !== undefined && theirs !== undefined, "both have greeted");
      demand(judge(mine, theirs, 60_000).kind === "stream", "the two are of one mesh");
      const floors = new Map([[theirs.replicaId, theirs.clock + 1]]);
      const lacking = judge(mine, { ...theirs, floors: new Map([[THREE, 5]]) }, 60_000);
      demand(lacking.kind === "rejoin" && lacking.code === "BEHIND", "who lacks what was cut rejoins");
      const other = judge({ ...mine, floors }, theirs, 60_000);
      demand(other.kind === "stream", "an origin lacks nothing of its own");
    },
  },
];
