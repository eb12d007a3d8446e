import type { KeyText } from "@meshkv/core";
import type { WiredHost } from "../wired-host.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, breakOffRejoin, demand, type Scenario } from "./scenario.ts";

/** Two meshes: the replicas of the older one, and a and b, of which a wrote the key. */
function twoMeshes(...older: readonly string[]): {
  readonly wired: WiredHosts;
  readonly sources: readonly WiredHost[];
  readonly a: WiredHost;
  readonly b: WiredHost;
} {
  const wired = new WiredHosts();
  const sources = wired.mesh(...older);
  wired.pass(1000);
  const [a, b] = wired.mesh("a", "b");
  demand(a !== undefined && b !== undefined, "both live");
  a.write({ key: "first" });
  wired.untilForgotten(a, b);
  return { wired, sources, a, b };
}

/** The other replica writes over what the first has written, until the context of what it writes does not name that. */
function overwrite(wired: WiredHosts, a: WiredHost, b: WiredHost): void {
  b.write({ key: "second" });
  wired.untilForgotten(a, b);
  b.write({ key: "third" });
  wired.until("a has it, too", () => a.values["key"] === "third");
}

export const MEETING_SCENARIOS: readonly Scenario[] = [
  {
    name: "what-a-mesh-has-forgotten-is-settled-in-the-next",
    run: () => {
      const { wired, sources, a, b } = twoMeshes("older");
      const [older] = sources;
      demand(older !== undefined, "it lives");
      breakOffRejoin(wired, a, older);
      demand("key" in older.values, "what was offered is there, though the rejoin was broken off");
      overwrite(wired, a, b);
      wired.heal(a, older);
      wired.dial(a, older, true);
      wired.until("the meshes are one", () => areMembers([older, a, b]));
      wired.until("they agree", () => agree(older, a, b));
      demand(older.values["key"] === "third", "the latest write has won");
      for (const host of [older, a, b])
        demand(host.conflicts("key").length === 0, `${host.name} lists nothing that an author had seen`);
      wired.untilForgotten(older, a, b);
    },
  },
  {
    name: "what-was-settled-before-it-arrived-is-no-conflict",
    run: () => {
      const { wired, sources, a, b } = twoMeshes("left", "right");
      const [left, right] = sources;
      demand(left !== undefined && right !== undefined, "both live");
      wired.cut(left, right);
      breakOffRejoin(wired, a, left);
      overwrite(wired, a, b);
      wired.dial(a, right, true);
      wired.until("a and b have moved", () => [a, b].every((host) => host.count("rejoined") > 0));
      wired.heal(left, right);
      wired.heal(a, left);
      const all = [left, right, a, b];
      // The successor that a gave up counts as a member for a while: they are told by their links.
      wired.until("the meshes are one", () => all.every((host) => host.linkedPeers.length === 3));
      wired.until("the latest write has won", () => all.every((host) => host.values["key"] === "third"));
      wired.pass(1000);
      for (const host of all)
        demand(host.conflicts("key").length === 0, `${host.name} lists nothing that an author had seen`);
    },
  },
  {
    name: "a-loser-whose-retention-has-ended-can-be-restored-in-the-next-mesh",
    run: () => {
      const wired = new WiredHosts();
      const older = wired.start("older");
      wired.pass(1000);
      const a = wired.start("a");
      const b = wired.start("b", { peers: ["a"], conflictRetentionMs: 5000 });
      wired.until("both are members", () => areMembers([a, b]));
      wired.cut(a, b);
      a.write({ key: "lost" });
      wired.pass(100);
      b.write({ key: "won" });
      wired.heal(a, b);
      wired.until("both list it", () => [a, b].every((host) => host.conflicts("key")[0] === "lost"));
      wired.until("its time is over for the one", () => b.conflicts("key").length === 0);
      demand(a.conflicts("key").length === 1, "the other keeps it longer");
      breakOffRejoin(wired, a, older);
      wired.cut(a, older);
      demand(older.conflicts("key")[0] === "lost", "it is listed in the next mesh");
      wired.dial(b, older, true);
      wired.until("b has moved", () => b.count("rejoined") > 0);
      demand(older.values["key"] === "won", "the winner stays");
      demand(older.conflicts("key").length === 0, "who had it last no longer lists it");
      const kept = [...older.tables.settled.values()].map(({ record }) =>
        new TextDecoder().decode(record.value),
      );
      demand(kept.includes("lost"), "it is listed as settled, and can be restored");
      wired.heal(a, older);
      wired.until("the meshes are one", () => areMembers([older, a, b]) && agree(older, a, b));
    },
  },
  {
    name: "what-was-deleted-and-forgotten-is-deleted-in-the-next-mesh",
    run: () => {
      const { wired, sources, a, b } = twoMeshes("left", "right");
      const [left, right] = sources;
      demand(left !== undefined && right !== undefined, "both live");
      a.write({ lasting: "1" });
      breakOffRejoin(wired, a, left);
      wired.until("what was offered is there", () => "key" in right.values && "lasting" in right.values);
      b.write({ key: undefined });
      wired.untilForgotten(a, b);
      demand(!a.tables.entries.has("key" as KeyText), "nothing tells of the key any more");
      wired.heal(a, left);
      wired.dial(a, left, true);
      const all = [left, right, a, b];
      wired.until("the meshes are one", () => areMembers(all));
      wired.until("they agree", () => agree(...all));
      demand(
        Object.keys(left.values).join() === "lasting",
        "what was deleted is not back, and nothing else is gone",
      );
      wired.untilForgotten(...all);
    },
  },
  {
    name: "what-came-with-its-author-and-was-deleted-does-not-come-back-with-an-adopter",
    run: () => {
      const wired = new WiredHosts();
      const home = wired.start("home");
      wired.pass(100);
      const adopter = wired.start("adopter");
      wired.pass(100);
      const author = wired.start("author");
      author.write({ key: "value" });
      wired.pass(500);
      breakOffRejoin(wired, author, adopter);
      demand(adopter.values["key"] === "value", "the write is in the one mesh");
      wired.dial(author, home, true);
      wired.until("the author has moved", () => author.count("rejoined") > 0);
      wired.until("the write is in the other mesh, too", () => home.values["key"] === "value");
      home.write({ key: undefined });
      wired.untilForgotten(home, author);
      wired.heal(author, adopter);
      wired.dial(adopter, home, true);
      const all = [home, author, adopter];
      wired.until("the meshes are one", () => areMembers(all), 120_000);
      wired.until("they agree", () => agree(...all));
      demand(!("key" in home.values), "what was deleted stays so");
      wired.untilForgotten(...all);
    },
  },
  {
    name: "what-a-mesh-has-deleted-and-forgotten-does-not-come-back-to-it",
    run: () => {
      const { wired, sources, a, b } = twoMeshes("left", "right");
      const [left, right] = sources;
      demand(left !== undefined && right !== undefined, "both live");
      left.write({ gone: "1" });
      wired.untilForgotten(left, right);
      wired.mayDeliver = ({ to, message }) => {
        if (to !== left.name || message.kind !== "adopted") return true;
        wired.cut(left, a);
        return false;
      };
      const action = { kind: "rejoin", address: a.name, code: "REMOVED", message: "a story" } as const;
      left.host.change(wired.nowMs, ({ outbox }) => outbox.push(action));
      wired.collect(left);
      wired.until("the rejoin is given up", () => left.count("rejoin-failed") > 0, 120_000);
      wired.mayDeliver = () => true;
      wired.until("what was offered is there", () => "gone" in b.values);
      right.write({ gone: undefined });
      wired.untilForgotten(left, right);
      wired.heal(left, a);
      wired.dial(a, left, true);
      const all = [left, right, a, b];
      wired.until("the meshes are one", () => areMembers(all));
      wired.until("they agree", () => agree(...all));
      demand(
        Object.keys(left.values).join() === "key",
        "what was deleted is not back, and nothing else is gone",
      );
    },
  },
];
