import { isCovered, MemberSet, positionAt, positionOf, type ReplicaId, VersionVector } from "@meshkv/core";
import { replicaId, startId } from "../arbitraries/identifiers.ts";
import { LoneReplica } from "../lone-replica.ts";
import type { WiredHost } from "../wired-host.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, demand, type Scenario } from "./scenario.ts";

const NOW_MS = 1_767_225_600_000;

/** Asks a host to remove a member. */
function remove(wired: WiredHosts, host: WiredHost, member: ReplicaId, force: boolean): unknown {
  const { nowMs } = wired;
  const answer = host.host.change(nowMs, ({ peering }) => peering.remove(member, force, nowMs));
  wired.collect(host);
  return answer;
}

/** A host has to rejoin through another, whatever the reason. */
function rejoin(wired: WiredHosts, host: WiredHost, through: WiredHost): void {
  const action = { kind: "rejoin", address: through.name, code: "REMOVED", message: "a story" } as const;
  host.host.change(wired.nowMs, ({ outbox }) => outbox.push(action));
  wired.collect(host);
}

/** b is restored from an image, and may write a while before it is met. */
function restore(write: (b: WiredHost, wired: WiredHosts) => void): void {
  const wired = new WiredHosts();
  const [a, b] = wired.mesh("a", "b");
  if (a === undefined || b === undefined) return;
  b.write({ early: "1" });
  wired.pass(500);
  const image = b.image();
  b.write({ late: "2" });
  // No time passes: were something forgotten meanwhile, the restored replica would be behind as well.
  wired.settle();
  demand(a.values["late"] === "2", "a has the write that the image lacks");
  const old = b.replica.id;
  wired.stop(b);
  b.restore(image);
  wired.cut(a, b);
  wired.start("b", { peers: ["a"] });
  write(b, wired);
  wired.heal(a, b);
  wired.until("it has another id", () => b.replica.id !== old);
  wired.until("they agree", () => agree(a, b) && areMembers([a, b]));
  demand(Object.keys(a.values).sort().join() === "early,late,restored", "no write is lost");
}

/**
 * Of three that are one mesh the first is gone for good; it had removed the others, and told them so.
 * @param tells which removals it has told to one of them
 */
function leaveAlone(tells: (host: WiredHost, left: readonly WiredHost[]) => readonly WiredHost[]): {
  readonly wired: WiredHosts;
  readonly b: WiredHost;
  readonly c: WiredHost;
} {
  const wired = new WiredHosts();
  const [a, b, c] = wired.mesh("a", "b", "c");
  demand(a !== undefined && b !== undefined && c !== undefined, "all live");
  a.write({ key: "1" });
  wired.pass(500);
  const { id } = a.replica;
  wired.stop(a);
  wired.cut(b, c);
  wired.stop(c);
  wired.start("c", { peers: ["b"] });
  b.write({ left: "2" });
  c.write({ right: "3" });
  for (const host of [b, c]) {
    const removed = tells(host, [b, c]).reduce(
      (set, { replica }) => set.without(replica.id),
      host.replica.members,
    );
    host.host.change(wired.nowMs, ({ replica }) => replica.setMembers(removed));
    // An operator says that it will not come back.
    remove(wired, host, id, true);
  }
  wired.pass(500);
  return { wired, b, c };
}

/** Two that were left alone are one mesh in the end. */
function areMeshAgain({
  wired,
  b,
  c,
}: {
  readonly wired: WiredHosts;
  readonly b: WiredHost;
  readonly c: WiredHost;
}): void {
  wired.heal(b, c);
  wired.until("they are one mesh", () => areMembers([b, c]));
  wired.until("no write is lost", () => agree(b, c) && Object.keys(b.values).length === 3);
  wired.untilForgotten(b, c);
}

export const MEMBERSHIP_SCENARIOS: readonly Scenario[] = [
  {
    name: "an-admission-is-durable-before-it-is-told",
    run: () => {
      const wired = new WiredHosts();
      const a = wired.start("a");
      wired.pass(100);
      wired.mayDeliver = ({ from, message }) => {
        if (from !== "a" || message.kind !== "granted") return true;
        const admitted = message.members.current().length;
        demand(a.replica.durableMembers.current().length >= admitted, "who was let in is on disk");
        return true;
      };
      a.holdsCommits = true;
      const b = wired.start("b", { peers: ["a"] });
      wired.pass(500);
      a.holdsCommits = false;
      a.makeDurable();
      wired.settle();
      wired.until("both are members", () => areMembers([a, b]));
    },
  },
  {
    name: "a-joiner-observes-its-admission",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      a.write({ key: "1" });
      wired.pass(1000);
      let admitted = 0;
      wired.mayDeliver = ({ message }) => {
        if (message.kind === "granted") admitted = message.observe;
        // Nothing but the admission tells the joiner's clock anything.
        return true;
      };
      const c = wired.start("c", { peers: [] });
      c.offsetMs = -50_000;
      let first = Number.POSITIVE_INFINITY;
      wired.stop(c);
      wired.start("c", { peers: ["a"] });
      wired.mayDeliver = ({ to, message }) => {
        if (message.kind === "granted") admitted = message.observe;
        const successor = c.isRunning ? c.host.successor : undefined;
        if (to === "c" && message.kind === "copied" && successor !== undefined)
          first = Math.min(first, successor.replica.clock.last);
        return true;
      };
      wired.until("it has joined", () => areMembers([a, b, c]));
      demand(admitted > 0 && first >= admitted, "whatever a joiner writes comes after its admission");
    },
  },
  {
    name: "strangers-stay-apart",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = [wired.start("a"), wired.start("b")];
      wired.dial(a, b);
      wired.pass(3000);
      demand(areMembers([a, b], 1), "meshes that nobody brought together stay apart");
    },
  },
  {
    name: "meshes-of-two-names-stay-apart",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = [wired.start("a"), wired.start("b")];
      const { identity } = b.replica;
      b.host.change(wired.nowMs, ({ replica }) =>
        replica.setIdentity({ ...identity, mesh: { ...identity.mesh, name: "other" } }),
      );
      wired.settle();
      wired.dial(b, a, true);
      wired.pass(3000);
      demand(areMembers([a, b], 1), "a wrong address does not empty a server into another mesh");
    },
  },
  {
    name: "a-removal-pulls-first",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      const leaver = c.replica.id;
      wired.cut(a, c);
      wired.cut(a, b);
      c.write({ last: "words" });
      wired.pass(200);
      wired.stop(c);
      wired.heal(a, b);
      a.holdsCommits = true;
      wired.until("a and b are linked", () => a.linkedPeers.length === 1);
      demand(
        remove(wired, a, leaver, false) === "pull",
        "the leaver's writes are fetched before it is removed",
      );
    },
  },
  { name: "a-restored-directory-loses-no-write", run: () => restore((b) => b.write({ restored: "3" })) },
  {
    name: "a-restored-directory-that-ticks-loses-no-write",
    run: () =>
      restore((b, wired) => {
        // Its clock passes what the others hold of it, as if it had never gone back.
        b.offsetMs = 10_000;
        wired.pass(500);
        b.write({ restored: "3" });
      }),
  },
  {
    name: "a-successor-serves-only-what-its-predecessor-had-too",
    run: () => {
      const wired = new WiredHosts();
      const a = wired.start("a");
      wired.pass(100);
      const b = wired.start("b", { peers: [] });
      b.write({ mine: "1" });
      wired.pass(500);
      let holds = false;
      wired.mayDeliver = ({ from, message }) => {
        if (message.kind === "offer") holds = true;
        return !(holds && from === "a" && message.kind === "frame" && message.log !== undefined);
      };
      wired.stop(b);
      wired.start("b", { peers: ["a"] });
      wired.until("all is handed over", () => b.host.rejoin?.phase === "confirming");
      wired.breakLinks(a, b);
      wired.pass(3000);
      demand(b.values["mine"] === "1", "over another link, too, it waits for what was adopted");
      holds = false;
      wired.breakLinks(a, b);
      wired.until("both are members", () => areMembers([a, b]));
      demand(agree(a, b) && b.values["mine"] === "1", "no write is lost");
    },
  },
  {
    name: "two-that-rejoin-through-each-other-come-to-an-end",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      b.write({ key: "1" });
      rejoin(wired, a, b);
      rejoin(wired, b, a);
      wired.settle();
      wired.until(
        "neither waits for the other",
        () => [a, b].every((h) => h.host.rejoin === undefined),
        120_000,
      );
      wired.until("they are linked", () => [a, b].every((h) => h.linkedPeers.length === 1));
      demand(agree(a, b) && a.values["key"] === "1", "no write is lost");
    },
  },
  {
    name: "a-successor-that-never-lived-is-dropped-by-a-mesh-that-is-met-again",
    run: () => {
      const wired = new WiredHosts();
      const older = wired.start("older");
      wired.pass(100);
      const middle = wired.start("middle");
      wired.pass(100);
      const young = wired.start("young");
      young.write({ key: "1" });
      wired.pass(500);
      wired.stop(young);
      wired.start("young", { peers: ["older"] });
      wired.mayDeliver = ({ message }) => {
        // Its process ends between the last word and the switch.
        if (message.kind === "confirmed") wired.stop(young);
        return message.kind !== "confirmed";
      };
      wired.until("its process has ended", () => !young.isRunning);
      demand(older.replica.members.current().length === 2, "the successor is a member already");
      wired.mayDeliver = () => true;
      wired.cut(young, older);
      wired.start("young", { peers: ["middle"] });
      wired.until("it is of another mesh", () => areMembers([young, middle]));
      wired.heal(young, older);
      for (const host of [young, middle]) {
        const { id } = host.replica;
        wired.dial(host, older, true);
        wired.until("it is of the oldest mesh", () => host.replica.id !== id);
      }
      wired.until("three are members, and no ghost", () => areMembers([older, middle, young]));
      demand(agree(older, middle, young) && older.values["key"] === "1", "no write is lost");
    },
  },
  {
    name: "who-left-for-another-mesh-and-comes-back-is-one-member",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      const young = wired.start("young");
      b.write({ key: "1" });
      wired.pass(500);
      const { id } = b.replica;
      wired.cut(a, b);
      rejoin(wired, b, young);
      wired.until("it is of another mesh", () => areMembers([b, young]));
      demand(a.replica.members.has(id), "its mesh waits for it");
      wired.heal(a, b);
      for (const host of [b, young]) {
        const left = host.replica.id;
        wired.dial(host, a, true);
        wired.until("it is of the older mesh", () => host.replica.id !== left);
      }
      wired.until("each counts once", () => areMembers([a, b, young]));
      demand(agree(a, b, young) && a.values["key"] === "1", "no write is lost");
    },
  },
  {
    name: "who-was-removed-and-is-left-alone-moves-into-a-younger-mesh",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      b.write({ old: "1" });
      wired.pass(500);
      const { id } = b.replica;
      // a removed it, told it so, and is gone for good.
      const removed = a.replica.members.without(id);
      wired.stop(a);
      b.host.change(wired.nowMs, ({ replica }) => replica.setMembers(removed));
      wired.pass(500);
      const young = wired.start("young");
      young.write({ young: "2" });
      wired.dial(young, b, true);
      wired.until("it is of the younger mesh", () => areMembers([b, young]));
      wired.until("they agree", () => agree(b, young));
      demand(b.values["old"] === "1" && b.values["young"] === "2", "no write is lost");
      demand(young.count("rejoined") === 0, "the younger mesh stays");
    },
  },
  {
    name: "who-were-removed-by-one-that-is-gone-are-a-mesh-again",
    run: () => {
      const alone = leaveAlone((_, left) => left);
      demand(areMembers([alone.b, alone.c], 1), "each has a mesh of its own");
      areMeshAgain(alone);
    },
  },
  {
    name: "who-were-removed-and-wait-for-each-other-are-a-mesh-again",
    run: () => {
      const alone = leaveAlone((host) => [host]);
      for (const { replica } of [alone.b, alone.c])
        demand(replica.members.isRemoved(replica.id), "it waits for the other to let it in");
      areMeshAgain(alone);
    },
  },
  {
    name: "a-raise-holds-in-its-own-mesh",
    run: () => {
      const wired = new WiredHosts();
      const older = wired.start("older");
      wired.pass(1000);
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      wired.cut(a, b);
      b.write({ key: "old" });
      wired.pass(500);
      older.write({ key: "newer" });
      remove(wired, a, b.replica.id, true);
      wired.pass(3000);
      wired.heal(a, b);
      wired.until("b's write has returned", () => agree(a, b) && a.values["key"] === "old");
      const raised = [...a.tables.entries.values()].some(({ winner }) => winner.adopted?.raised === true);
      demand(raised, "a returning write comes after everything that was forgotten in its mesh");
      wired.dial(a, older, true);
      wired.until("the meshes are one", () => areMembers([a, b, older]));
      wired.until("they agree", () => agree(a, b, older));
      demand(a.values["key"] === "newer", "a write that was raised in one mesh is as old as ever in another");
    },
  },
  {
    name: "a-note-counts-only-where-it-is-true",
    run: () => {
      // What was offered was in the adopter's log, or the adopter had it in another log: both have to be here.
      const [old, adopter, other] = [replicaId(1), replicaId(2), replicaId(3)];
      const at = (positions: readonly (readonly [ReplicaId, number])[]): VersionVector =>
        new VersionVector(positions.map(([id, timestamp]) => [id, positionAt(timestamp)]));
      const succession = {
        successor: replicaId(4),
        adopter,
        adoptedAt: 50,
        offered: at([[old, 20]]),
        held: at([
          [adopter, 50],
          [other, 30],
        ]),
      };
      const members = new MemberSet().without(old, succession);
      const write = { origin: old, timestamp: 20 };
      const whole = at([
        [adopter, 50],
        [other, 30],
      ]);
      demand(isCovered(write, whole, members, new Map()), "who has all that the adopter had has the write");
      const part = at([
        [adopter, 50],
        [other, 10],
      ]);
      demand(!isCovered(write, part, members, new Map()), "who has the adopter's log alone may lack it");
    },
  },
  {
    name: "a-note-counts-only-on-the-branch-of-who-adopted",
    run: () => {
      // The adopter's directory was copied before: the copy has as much of that id's log, and other writes in it.
      const [old, adopter] = [replicaId(1), replicaId(2)];
      const life = (start: number): VersionVector => {
        const starts = [
          { id: startId(1), recovered: 0 },
          { id: startId(start), recovered: 30 },
        ];
        return new VersionVector([[adopter, positionOf(starts, 50)]]);
      };
      const succession = {
        successor: replicaId(3),
        adopter,
        adoptedAt: 50,
        offered: new VersionVector([[old, positionAt(20)]]),
        held: life(2),
      };
      const members = new MemberSet().without(old, succession);
      const write = { origin: old, timestamp: 20 };
      demand(isCovered(write, life(2), members, new Map()), "who has the adopter's log has the write");
      demand(!isCovered(write, life(3), members, new Map()), "who has the log of its copy has not");
    },
  },
  {
    name: "a-late-put-comes-after-what-was-forgotten",
    run: () => {
      const [writer, reader] = [new LoneReplica(replicaId(1), NOW_MS), new LoneReplica(replicaId(2), NOW_MS)];
      const put = writer.write("key", "late");
      reader.replica.setHorizon(put.timestamp + 1000, new Set([reader.replica.id]));
      reader.replica.accept(put.origin, [put], positionAt(put.timestamp), NOW_MS);
      reader.commit();
      const winner = reader.replica.entry(put.key)?.winner;
      demand(
        winner?.adopted?.raised === true,
        "what may have been beaten by a forgotten tombstone is raised",
      );
      const logs = [...reader.tables.logs.values()].map((log) => log.length);
      demand(logs.join() === "1,1", "it is in its own log, and in the log of the one who raised it");
    },
  },
  {
    name: "a-winning-delete-travels-before-the-put-that-it-beats",
    run: () => {
      const [writer, adopter] = [
        new LoneReplica(replicaId(1), NOW_MS),
        new LoneReplica(replicaId(2), NOW_MS + 5),
      ];
      const put = writer.write("key", "offered");
      const tombstone = adopter.write("key", undefined);
      adopter.commit();
      demand(adopter.replica.adopt(put, NOW_MS + 10), "an offered write that is not here is adopted");
      adopter.commit();
      const log = adopter.tables.logs.get(adopter.replica.id) ?? [];
      demand(
        log.length === 3,
        "the delete that beats the put is stated again: elsewhere it may be forgotten",
      );
      demand(log[1]?.isDelete === true && log[1].moreFollows, "it goes before the put, in one batch with it");
      demand(adopter.replica.entry(tombstone.key)?.winner.isDelete === true, "the key stays deleted");
    },
  },
];
