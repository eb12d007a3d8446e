/** Which conflicts a watcher is told that reads the logs, and goes on elsewhere in the middle of that. */
import { WiredHosts, type WiredHost } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import type { WatchCursor } from "./watch-cursor.ts";
import { decodeWatchToken } from "./watch-token.ts";

const HISTORY = { historyMs: 3_600_000, historyBytes: 1e9 };

/** Watches everything: from now on, or from a token. */
function open(host: WiredHost, token?: Uint8Array): WatchCursor {
  const decoded = token && decodeWatchToken(token, "default");
  if (decoded !== undefined && "problem" in decoded) throw new Error(decoded.problem);
  const target = { kind: "prefix", text: "" as KeyText } as const;
  const resume = decoded?.resume;
  return host.host.watches.open({ target, resume, initial: false, wake: () => undefined, eventsMax: 1 });
}

/** The first letters of a value say enough. */
const show = (value: Uint8Array): string => new TextDecoder().decode(value.subarray(0, 9));

/** What is told until there is nothing more, page by page; the last word is why, unless it is at rest. */
function readPages(host: WiredHost, cursor: WatchCursor, pagesMax = 100): string[][] {
  const pages: string[][] = [];
  while (pages.length < pagesMax) {
    const turn = cursor.next(true);
    if (turn.kind === "scan") cursor.scanned(turn.generation, host.tables.scan(turn.request));
    else if (turn.kind === "events") {
      const told = turn.events.map(({ kind, entry: { winner }, previous }) => {
        const loser = kind === "conflict" ? ` over ${show(previous?.value ?? winner.value)}` : "";
        return `${kind} ${winner.key}=${show(winner.value)}${loser}`;
      });
      pages.push(turn.synced ? [...told, "synced"] : told);
    } else {
      if (turn.kind !== "idle") pages.push([turn.kind]);
      break;
    }
  }
  return pages;
}

function read(host: WiredHost, cursor: WatchCursor, pagesMax?: number): string[] {
  return readPages(host, cursor, pagesMax).flat();
}

const NAMES = ["a", "b", "c", "d"] as const;

interface Four extends Readonly<Record<(typeof NAMES)[number], WiredHost>> {
  readonly mesh: WiredHosts;
  /** Cuts links, named by their ends, as in `ab cd`. */
  readonly cut: (links: string) => void;
  readonly heal: (links: string) => void;
}

/** A mesh of four. */
function fourHosts(): Four {
  const mesh = new WiredHosts();
  const start = (name: string): WiredHost =>
    mesh.start(name, { ...HISTORY, peers: name === "a" ? [] : ["a"] });
  const hosts = { a: start("a"), b: start("b"), c: start("c"), d: start("d") };
  mesh.until("all are linked", () => NAMES.every((name) => hosts[name].linkedPeers.length === 3));
  mesh.pass(500);
  const each = (links: string, change: (one: WiredHost, other: WiredHost) => void): void => {
    for (const link of links.split(" ")) {
      const [one, other] = NAMES.filter((name) => link.includes(name)).map((name) => hosts[name]);
      if (one !== undefined && other !== undefined) change(one, other);
    }
  };
  return {
    ...hosts,
    mesh,
    cut: (links) => each(links, (one, other) => mesh.cut(one, other)),
    heal: (links) => each(links, (one, other) => mesh.heal(one, other)),
  };
}

describe("a watcher that reads the logs", () => {
  it("is told of losers one by one where a response cannot hold all of them, and then of their winner", () => {
    const { mesh, a, b, c, cut, heal } = fourHosts();
    const cursor = open(a);
    read(a, cursor);
    const token = cursor.token();
    cut("ab ac ad bc bd cd");
    const large = (letter: string): string => letter.repeat(800_000);
    for (const [host, letter] of [
      [b, "x"],
      [c, "y"],
      [a, "z"],
    ] as const) {
      host.write({ k: large(letter) });
      mesh.pass(50);
    }
    heal("ab ac ad bc bd cd");
    mesh.until("all has come", () => a.conflicts("k").length === 2);
    mesh.pass(500);
    const later = open(a, token);
    expect(readPages(a, later)).toEqual([
      ["conflict k=zzzzzzzzz over yyyyyyyyy"],
      ["conflict k=zzzzzzzzz over xxxxxxxxx"],
      ["put k=zzzzzzzzz"],
      ["synced"],
    ]);
  });

  it("is told of a loser once, although what beat it first was overwritten meanwhile", () => {
    const { mesh, a, b, c, d, cut, heal } = fourHosts();
    cut("ab ac ad bc bd");
    const cursor = open(b);
    read(b, cursor);
    b.write({ k: "loser" });
    mesh.settle();
    expect(read(b, cursor)).toEqual(["put k=loser"]);
    mesh.pass(50);
    c.write({ k: "first" });
    mesh.pass(50);
    c.write({ filler: "1" });
    mesh.pass(500);
    cut("cd");
    a.offsetMs = 20_000;
    a.write({ k: "winner" });
    c.write({ k: "second" });
    heal("ab ad bd");
    mesh.until("both losers have come", () => d.conflicts("k").length === 2);
    mesh.pass(500);
    const halfway = open(d, cursor.token());
    const told = read(d, halfway, 1);
    heal("ac bc cd");
    mesh.until("what was overwritten is gone", () => d.conflicts("k").includes("second"));
    mesh.pass(500);
    told.push(...read(d, open(d, halfway.token())));
    expect(told).toEqual([
      "put filler=1",
      "put k=winner",
      "conflict k=winner over second",
      "conflict k=winner over loser",
      "synced",
    ]);
  });

  it("must find at the next replica a loser that was left out, since its winner was to be told later", () => {
    const { mesh, a, b, c, d, cut, heal } = fourHosts();
    const cursor = open(a);
    read(a, cursor);
    const token = cursor.token();
    cut("ab ad bc cd");
    b.write({ k: "loser" });
    mesh.pass(50);
    a.write({ filler: "1" });
    mesh.pass(50);
    a.write({ k: "winner" });
    mesh.until("both sides have theirs", () => c.values.k === "winner" && d.values.k === "loser");
    cut("ac");
    heal("ad");
    mesh.until("both are at d", () => d.conflicts("k").length === 1);
    mesh.pass(500);
    const halfway = open(d, token);
    expect(read(d, halfway, 1)).toEqual(["put filler=1"]);
    const moved = open(c, halfway.token());
    expect(read(c, moved)).toEqual(["behind"]);
    heal("ac bc cd");
    mesh.until("it has come", () => c.conflicts("k").length === 1);
    mesh.pass(500);
    expect(read(c, moved)).toEqual(["put k=winner", "conflict k=winner over loser", "synced"]);
  });
});
