/** Directories that were copied: two live copies of one write under one id until they are told apart. */
import type { WiredHost } from "../wired-host.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, breakOffRejoin, demand, type Scenario } from "./scenario.ts";

export const COPY_SCENARIOS: readonly Scenario[] = [
  {
    name: "two-copies-of-a-directory-part",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      b.write({ common: "1" });
      wired.pass(500);
      wired.stop(b);
      const c = copyOf(wired, b, "c");
      wired.cut(a, c);
      const common = wired.start("b", { peers: ["a"] }).replica.id;
      wired.start("c", { peers: ["b"] });
      b.write({ original: "2" });
      c.write({ copy: "3" });
      wired.until("one of the copies takes another id", () =>
        [b, c].some(({ replica }) => replica.id !== common),
      );
      wired.heal(a, c);
      wired.until("three are members", () => areMembers([a, b, c]), 120_000);
      wired.until("no write is lost", () => agree(a, b, c) && Object.keys(a.values).length === 3);
    },
  },
  {
    name: "two-copies-of-a-lone-directory-part",
    run: () => {
      const wired = new WiredHosts();
      const a = wired.start("a");
      a.write({ common: "1" });
      wired.pass(500);
      wired.stop(a);
      const b = copyOf(wired, a, "b");
      wired.start("a");
      wired.start("b", { peers: ["a"] });
      a.write({ original: "2" });
      b.write({ copy: "3" });
      wired.until("two are members", () => areMembers([a, b]), 120_000);
      wired.until("no write is lost", () => agree(a, b) && Object.keys(a.values).length === 3);
      demand(a.replica.id !== b.replica.id, "two copies have two ids");
    },
  },
  {
    name: "two-copies-of-a-removed-directory-are-a-mesh-again",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      b.write({ common: "1" });
      wired.pass(500);
      // a removed b, told it so, and is gone for good; so it is removed as well.
      const removed = a.replica.members.without(a.replica.id).without(b.replica.id);
      wired.stop(a);
      wired.stop(b);
      const c = copyOf(wired, b, "c");
      wired.start("b");
      wired.start("c", { peers: ["b"] });
      wired.cut(b, c);
      b.write({ original: "2" });
      c.write({ copy: "3" });
      for (const host of [b, c]) {
        host.host.change(wired.nowMs, ({ replica }) => replica.setMembers(removed));
        wired.pass(500);
        demand(areMembers([host], 1), "each has a mesh of its own");
      }
      const { id } = b.replica;
      wired.heal(b, c);
      wired.until("they are one mesh", () => areMembers([b, c]), 120_000);
      wired.until("no write is lost", () => agree(b, c) && Object.keys(b.values).length === 3);
      demand(b.replica.id === id, "who lets the other in stays what it is");
    },
  },
  {
    name: "what-one-copy-wrote-is-not-taken-for-seen-since-the-other-copy-was",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      c.write({ common: "1" });
      wired.pass(500);
      const d = copyOf(wired, c, "d");
      // a follows the copy, b the original, and each streams with the other all the time.
      for (const [x, y] of [[a, c] as const, [b, d] as const, [c, d] as const]) wired.cut(x, y);
      wired.start("d", { peers: ["a"] });
      wired.until("a has heard the copy", () => a.linkedPeers.length === 2);
      d.write({ key: "copy" });
      wired.settle();
      wired.nowMs += 5;
      c.write({ key: "original" });
      wired.settle();
      wired.nowMs += 5;
      b.write({ key: "after the original" });
      wired.settle();
      for (const [x, y] of [[a, c] as const, [b, d] as const, [c, d] as const]) wired.heal(x, y);
      const all = [a, b, c, d];
      demandListed(wired, all, "copy", "the other copy's write is a conflict, everywhere");
    },
  },
  {
    name: "what-a-relay-tells-of-the-original-is-not-taken-for-its-own-by-the-copy",
    run: () => {
      const wired = new WiredHosts();
      const [author, relay, original] = wired.mesh("author", "relay", "original");
      if (author === undefined || relay === undefined || original === undefined) return;
      original.write({ common: "1" });
      wired.pass(500);
      const copy = copyOf(wired, original, "copy");
      const apart = [[original, relay] as const, [original, copy] as const, [author, copy] as const];
      for (const [x, y] of apart) wired.cut(x, y);
      // What the copy tells is under way until the link breaks: the relay's part of its log is the original's as well.
      wired.mayDeliver = ({ from, message }) => from !== "copy" || message.kind !== "frame";
      wired.start("copy");
      wired.dial(copy, relay);
      demand(relay.linkedPeers.length === 2, "the relay asks the copy for the log of both");
      copy.write({ key: "copy" });
      wired.settle();
      wired.nowMs += 5;
      original.write({ key: "original" });
      wired.settle();
      wired.nowMs += 5;
      author.write({ key: "after the original" });
      wired.settle();
      demand(relay.values["key"] === "after the original", "the relay has it from its author");
      wired.breakLinks(copy, relay);
      wired.mayDeliver = () => true;
      for (const [x, y] of apart) wired.heal(x, y);
      const all = [author, relay, original, copy];
      demandListed(wired, all, "copy", "the copy's write is a conflict, everywhere");
    },
  },
  {
    name: "no-copy-is-met-while-a-linked-peer-follows-the-other",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      c.write({ common: "1" });
      wired.pass(500);
      const d = copyOf(wired, c, "d");
      // b follows the copy; what a asks of its log is under way until the links break, so a has what is common.
      const apart = [[a, c] as const, [a, d] as const, [b, c] as const, [c, d] as const];
      for (const [x, y] of apart) wired.cut(x, y);
      const common = c.replica.id;
      wired.mayDeliver = ({ from, message }) =>
        from !== "a" || message.kind !== "want" || message.origin !== common;
      wired.start("d", { peers: ["b"] });
      wired.until("b has met the copy", () => b.linkedPeers.includes(common));
      c.write({ key: "original" });
      wired.settle();
      wired.nowMs += 5;
      d.write({ key: "copy" });
      wired.settle();
      wired.nowMs += 5;
      b.write({ key: "after the copy" });
      wired.pass(500);
      demand(a.values["key"] === "after the copy", "a has what was written after the copy");
      wired.heal(a, c);
      wired.dial(c, a);
      wired.pass(500);
      wired.mayDeliver = () => true;
      wired.breakLinks(a, b);
      for (const [x, y] of apart) wired.heal(x, y);
      const all = [a, b, c, d];
      demandListed(
        wired,
        all,
        "original",
        "the original's write is a conflict, everywhere, and the copy's is none",
      );
    },
  },
  {
    name: "what-a-copy-wrote-is-known-by-its-branch-in-a-third-mesh",
    run: () => {
      const wired = new WiredHosts();
      const oldest = wired.start("oldest");
      wired.pass(100);
      const older = wired.start("older");
      wired.pass(100);
      const original = wired.start("original");
      original.write({ common: "1" });
      wired.pass(500);
      const copy = copyOf(wired, original, "copy");
      wired.start("copy");
      wired.cut(original, copy);
      original.write({ key: "original" });
      wired.pass(100);
      copy.write({ key: "copy" });
      wired.dial(copy, oldest, true);
      wired.until("the copy is in the oldest mesh", () => areMembers([oldest, copy]));
      oldest.write({ key: "after the copy" });
      wired.dial(original, older, true);
      wired.until("the original is in the older mesh", () => areMembers([older, original]));
      wired.pass(500);
      wired.heal(original, copy);
      wired.dial(older, oldest, true);
      wired.until("one has moved", () => areMembers([oldest, copy, older]));
      wired.dial(original, oldest, true);
      const all = [oldest, older, original, copy];
      demandListed(wired, all, "original", "the original's write is a conflict, everywhere");
    },
  },
  {
    name: "what-a-copy-offered-before-its-rejoin-was-broken-off-is-known-by-its-branch",
    run: () => {
      const wired = new WiredHosts();
      const [left, right] = wired.mesh("left", "right");
      wired.pass(100);
      const original = wired.start("original");
      const copy = wired.start("copy");
      if (left === undefined || right === undefined) return;
      original.write({ common: "1" });
      wired.pass(500);
      wired.stop(copy);
      copy.restore(original.image());
      wired.start("copy");
      wired.cut(original, copy);
      original.write({ key: "original" });
      wired.pass(100);
      copy.write({ key: "copy" });
      wired.pass(100);
      breakOffRejoin(wired, copy, left);
      wired.until("both have the copy's write", () => right.values["key"] === "copy");
      right.write({ key: "after the copy" });
      wired.pass(500);
      wired.dial(original, right, true);
      wired.until("the original has moved", () => original.count("rejoined") > 0);
      wired.heal(original, copy);
      wired.heal(copy, left);
      wired.dial(copy, left, true);
      const all = [left, right, original, copy];
      demandListed(
        wired,
        all,
        "original",
        "the original's write is a conflict, everywhere, and the copy's is none",
      );
    },
  },
  {
    name: "what-two-copies-offer-to-two-members-that-are-apart-is-told-apart",
    run: () => {
      const wired = new WiredHosts();
      const [left, right] = wired.mesh("left", "right");
      wired.pass(100);
      const original = wired.start("original");
      const copy = wired.start("copy");
      if (left === undefined || right === undefined) return;
      original.write({ common: "1" });
      wired.pass(500);
      wired.stop(copy);
      copy.restore(original.image());
      wired.start("copy");
      const apart = [[left, right] as const, [original, copy] as const, [original, right] as const];
      for (const [x, y] of [...apart, [copy, left] as const]) wired.cut(x, y);
      original.write({ key: "original" });
      wired.pass(100);
      copy.write({ key: "copy" });
      wired.pass(100);
      wired.dial(original, left, true);
      wired.dial(copy, right, true);
      for (const mover of [original, copy])
        wired.until(`the ${mover.name} has moved`, () => mover.count("rejoined") > 0, 120_000);
      right.write({ key: "after the copy" });
      wired.pass(500);
      for (const [x, y] of [...apart, [copy, left] as const]) wired.heal(x, y);
      const all = [left, right, original, copy];
      demandListed(
        wired,
        all,
        "original",
        "the original's write is a conflict, everywhere, and the copy's is none",
      );
    },
  },
  {
    name: "what-a-copy-offered-before-its-rejoin-was-broken-off-is-not-taken-for-deleted-by-the-original",
    run: () => {
      const wired = new WiredHosts();
      const older = wired.start("older");
      wired.pass(100);
      const original = wired.start("original");
      const copy = wired.start("copy");
      original.write({ common: "1" });
      wired.pass(500);
      wired.stop(copy);
      copy.restore(original.image());
      wired.start("copy");
      wired.cut(original, copy);
      copy.write({ copy: "2" });
      wired.pass(100);
      breakOffRejoin(wired, copy, older);
      wired.stop(copy);
      // It is gone for good. In the end the original's log goes further than the copy's write.
      wired.pass(5000);
      original.write({ common: undefined });
      wired.untilForgotten(original);
      wired.dial(original, older, true);
      wired.until("the original has moved", () => original.count("rejoined") > 0);
      wired.until("they agree", () => agree(older, original));
      demand(older.values["copy"] === "2", "the copy's write is kept: the original never had it");
      demand(older.values["common"] === undefined, "what the original has deleted is deleted");
    },
  },
  {
    name: "what-two-copies-had-and-was-deleted-does-not-come-back-with-the-second",
    run: () => {
      const wired = new WiredHosts();
      const home = wired.start("home");
      wired.pass(100);
      const original = wired.start("original");
      original.write({ common: "1" });
      wired.pass(500);
      const apartCopyOf = (from: WiredHost, name: string): WiredHost => {
        const copy = copyOf(wired, from, name);
        for (const other of [original, from]) wired.cut(copy, other);
        return wired.start(name);
      };
      const first = apartCopyOf(original, "first");
      first.write({ key: "of the first copy" });
      wired.pass(500);
      const second = apartCopyOf(first, "second");
      wired.dial(first, home, true);
      wired.until("the first copy has moved", () => first.count("rejoined") > 0);
      wired.until("its write is there", () => home.values["key"] === "of the first copy");
      home.write({ key: undefined });
      wired.untilForgotten(home, first);
      original.write({ other: "1" });
      wired.dial(original, home, true);
      wired.until("the original has moved", () => original.count("rejoined") > 0);
      wired.pass(1000);
      wired.dial(second, home, true);
      wired.until("the second copy has moved", () => second.count("rejoined") > 0);
      for (const [a, b] of [
        [original, first] as const,
        [original, second] as const,
        [first, second] as const,
      ])
        wired.heal(a, b);
      const all = [home, original, first, second];
      wired.until("all are members", () => areMembers(all), 120_000);
      wired.until("they agree", () => agree(...all));
      demand(!("key" in home.values), "what was deleted stays so");
      demand(home.values["other"] === "1", "and nothing else is gone");
    },
  },
  {
    name: "what-a-copy-brought-of-others-and-was-deleted-does-not-come-back-with-these",
    run: () => {
      const wired = new WiredHosts();
      const home = wired.start("home");
      wired.pass(100);
      const [original, author] = wired.mesh("original", "author");
      if (original === undefined || author === undefined) return;
      wired.pass(500);
      const copy = copyOf(wired, original, "copy");
      for (const other of [home, original, author]) wired.cut(copy, other);
      wired.start("copy");
      author.write({ key: "of the author" });
      wired.until("the original has it", () => original.values["key"] !== undefined);
      for (const other of [home, original]) wired.cut(author, other);
      wired.dial(original, home, true);
      wired.until("the original has moved", () => original.count("rejoined") > 0);
      home.write({ key: undefined });
      wired.untilForgotten(home, original);
      copy.write({ other: "1" });
      wired.heal(copy, home);
      wired.dial(copy, home, true);
      wired.until("the copy has moved", () => copy.count("rejoined") > 0);
      for (const other of [original, author]) wired.heal(copy, other);
      for (const other of [home, original]) wired.heal(author, other);
      wired.until("three are members", () => areMembers([home, original, copy]), 120_000);
      wired.dial(author, home, true);
      const all = [home, original, copy, author];
      wired.until("all are members", () => areMembers(all), 120_000);
      wired.until("they agree", () => agree(...all));
      demand(!("key" in home.values), "what was deleted stays so");
      demand(home.values["other"] === "1", "and nothing else is gone");
    },
  },
];

/** A copy of a directory under another address, stopped. */
function copyOf(wired: WiredHosts, original: WiredHost, name: string): WiredHost {
  const image = original.image();
  const copy = wired.start(name);
  wired.stop(copy);
  copy.restore(image);
  return copy;
}

/** All become members and agree, and everywhere `loser` is the one conflict of `key`. */
function demandListed(wired: WiredHosts, all: readonly WiredHost[], loser: string, what: string): void {
  wired.until("all are members", () => areMembers(all), 120_000);
  wired.until("they agree", () => agree(...all));
  demand(
    all.every((host) => host.conflicts("key").join() === loser),
    what,
  );
}
