/** What a watcher is told, case by case, on real hosts in memory. */
import { WiredHosts, type WiredHost } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import type { WatchCursor } from "./watch-cursor.ts";
import type { WatchEvent, WatchTarget } from "./watch-event.ts";
import { decodeWatchToken } from "./watch-token.ts";

const HISTORY = { historyMs: 3_600_000, historyBytes: 1e9 };
const ALL: WatchTarget = { kind: "prefix", text: "" as KeyText };

interface OpenOptions {
  readonly token?: Uint8Array;
  readonly initial?: boolean;
  readonly target?: WatchTarget;
  readonly eventsMax?: number;
}

function open(
  host: WiredHost,
  { token, initial = false, target = ALL, eventsMax = 1000 }: OpenOptions = {},
): WatchCursor {
  const decoded = token && decodeWatchToken(token, "default");
  if (decoded !== undefined && "problem" in decoded) throw new Error(decoded.problem);
  return host.host.watches.open({
    target,
    resume: decoded?.resume,
    initial,
    wake: () => undefined,
    eventsMax,
  });
}

const textOf = (value: Uint8Array): string => new TextDecoder().decode(value);

function show({ kind, entry, previous }: WatchEvent): string {
  const { key, value } = entry.winner;
  const loser = kind === "conflict" ? ` over ${textOf(previous?.value ?? value)}` : "";
  return `${kind} ${key}${kind === "delete" ? "" : `=${textOf(value)}`}${loser}`;
}

/** Reads pages until there is nothing more; the last word is how it ended, unless it is at rest. */
function read(host: WiredHost, cursor: WatchCursor, pagesMax = 1000): string[] {
  const told: string[] = [];
  for (let pages = 0; pages < pagesMax; ) {
    const turn = cursor.next(true);
    if (turn.kind === "scan") {
      const request = "bytesMax" in turn.request ? { ...turn.request, bytesMax: 150 } : turn.request;
      cursor.scanned(turn.generation, host.tables.scan(request));
    } else if (turn.kind === "events") {
      told.push(...turn.events.map(show), ...(turn.synced ? ["synced"] : []));
      pages += 1;
    } else {
      if (turn.kind !== "idle") told.push(turn.kind === "ended" ? turn.code : turn.kind);
      break;
    }
  }
  return told;
}

function threeHosts(config = HISTORY): { mesh: WiredHosts; a: WiredHost; b: WiredHost; c: WiredHost } {
  const mesh = new WiredHosts();
  const a = mesh.start("a", config);
  const b = mesh.start("b", { ...config, peers: ["a"] });
  const c = mesh.start("c", { ...config, peers: ["a"] });
  mesh.until("all are linked", () => [a, b, c].every((host) => host.linkedPeers.length === 2));
  mesh.pass(500);
  return { mesh, a, b, c };
}

/**
 * A watcher at `a` that was shown a winner and goes on from there, when a concurrent loser has come late and the key is
 * about to be overwritten by somebody who has not seen the loser.
 */
function lateLoser(): { mesh: WiredHosts; a: WiredHost; cursor: WatchCursor; overwrite: () => void } {
  const { mesh, a, b, c } = threeHosts();
  for (const other of [a, c]) mesh.cut(b, other);
  b.write({ k: "late" });
  mesh.pass(50);
  a.write({ k: "winner" });
  mesh.pass(200);
  const first = open(a, { initial: true });
  expect(read(a, first)).toEqual(["put k=winner", "synced"]);
  const token = first.token();
  mesh.cut(a, c);
  mesh.heal(a, b);
  mesh.until("the loser has come", () => a.conflicts("k").length === 1);
  c.write({ k: "latest" });
  mesh.settle();
  const overwrite = (): void => {
    mesh.heal(a, c);
    mesh.until("the overwriting has come", () => a.values.k === "latest");
  };
  return { mesh, a, cursor: open(a, { token }), overwrite };
}

const LATE = ["conflict k=winner over late", "put k=latest"];

describe("a watcher that catches up", () => {
  it("is told of a late loser although its key is overwritten before the logs are read", () => {
    const { a, cursor, overwrite } = lateLoser();
    expect(cursor.next(true).kind).toBe("scan");
    overwrite();
    expect(read(a, cursor).filter((word) => word !== "synced")).toEqual(LATE);
  });

  it("is told of a late loser although the overwriting is in the tables, and nobody was told", () => {
    const { a, cursor, overwrite } = lateLoser();
    const told: string[] = [];
    a.onShown = () => {
      if (a.values.k === "latest" && told.length === 0) told.push(...read(a, cursor));
    };
    overwrite();
    a.onShown = undefined;
    told.push(...read(a, cursor));
    expect(told.filter((word) => word !== "synced")).toEqual(LATE);
  });

  it("must find at the next replica what its snapshot left out, since it was to be told later", () => {
    const { mesh, a, b, c } = threeHosts();
    a.write({ k: "old", x: "1" });
    mesh.pass(200);
    const cursor = open(a, { initial: true });
    const turn = cursor.next(true);
    for (const other of [a, c]) mesh.cut(b, other);
    a.write({ k: "new" });
    mesh.settle();
    if (turn.kind === "scan") cursor.scanned(turn.generation, a.tables.scan(turn.request));
    expect(read(a, cursor, 1)).toEqual(["put x=1"]);
    const moved = open(b, { token: cursor.token() });
    expect(read(b, moved)).toEqual(["behind"]);
    for (const other of [a, c]) mesh.heal(b, other);
    mesh.until("it has come", () => b.values.k === "new");
    expect(read(b, moved)).toEqual(["put k=new", "synced"]);
  });

  it("is told so when deadlines have passed that were not told, and their puts are forgotten", () => {
    const { mesh, a, b } = threeHosts({ historyMs: 0, historyBytes: 0 });
    // Its clock is behind: no deadline has passed there yet.
    a.offsetMs = -20_000;
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "1" }, mesh.nowMs + 1000);
    mesh.until("it is forgotten", () => !b.tables.entries.has("k" as KeyText));
    expect(read(a, cursor)).toEqual(["put k=1"]);
    expect(read(b, open(b, { token: cursor.token() }))).toEqual(["RESUME_TOO_OLD"]);
  });

  it("is told of a deadline before its put is forgotten", () => {
    const mesh = new WiredHosts();
    const a = mesh.start("a", { historyMs: 0, historyBytes: 0 });
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "1" }, mesh.nowMs + 1000);
    mesh.settle();
    expect(read(a, cursor)).toEqual(["put k=1"]);
    // The search for deadlines is slow: its rows come when this ends.
    const late: (() => void)[] = [];
    const pass = (ms: number, isSlow: boolean): void => {
      for (const endMs = mesh.nowMs + ms; mesh.nowMs < endMs; mesh.nowMs += 50) {
        a.host.tick(a.wallMs);
        for (let actions = a.host.take(); actions.length > 0; actions = a.host.take()) {
          for (const action of actions) {
            if (action.kind === "send" || action.kind === "close" || action.kind === "dial") continue;
            if (action.kind === "event") continue;
            const isSearch =
              action.kind === "scan" &&
              action.request.kind === "expiries" &&
              action.request.after?.key === "";
            if (isSearch && isSlow) late.push(() => void a.carryOut(action));
            else a.carryOut(action);
          }
        }
      }
    };
    pass(10_000, true);
    expect(late).toHaveLength(1);
    expect(a.tables.entries.has("k" as KeyText)).toBe(true);
    late[0]?.();
    pass(200, false);
    expect(read(a, cursor)).toEqual(["expire k=1"]);
    pass(10_000, false);
    expect(a.tables.entries.has("k" as KeyText)).toBe(false);
  });
});

describe("a watcher that keeps up", () => {
  it("is told every change of what it watches, in order", () => {
    const { mesh, a, b } = threeHosts();
    const all = open(a);
    const one = open(a, { target: { kind: "key", text: "k/1" as KeyText } });
    const some = open(a, { target: { kind: "prefix", text: "k/" as KeyText } });
    expect([all, one, some].map((cursor) => read(a, cursor))).toEqual([["synced"], ["synced"], ["synced"]]);
    a.write({ "k/1": "x" });
    a.write({ "k/1": "y" });
    b.write({ "k/2": "z", other: "o" });
    mesh.settle();
    a.write({ "k/1": undefined });
    a.write({ nothing: undefined });
    mesh.settle();
    expect(read(a, all)).toEqual([
      "put k/1=x",
      "put k/1=y",
      "put k/2=z",
      "put other=o",
      "delete k/1",
      "delete nothing",
    ]);
    expect(read(a, one)).toEqual(["put k/1=x", "put k/1=y", "delete k/1"]);
    expect(read(a, some)).toEqual(["put k/1=x", "put k/1=y", "put k/2=z", "delete k/1"]);
  });

  it("is told what was replaced", () => {
    const { mesh, a } = threeHosts();
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "old" });
    a.write({ k: "new" });
    a.write({ k: undefined });
    mesh.settle();
    const turn = cursor.next(true);
    const previous =
      turn.kind === "events"
        ? turn.events.map((event) => event.previous && textOf(event.previous.value))
        : [];
    expect(previous).toEqual([undefined, "old", "new"]);
  });

  it("is told of a concurrent write that lost, on whichever side it was made", () => {
    const { mesh, a, b, c } = threeHosts();
    for (const other of [a, c]) mesh.cut(b, other);
    const cursors = [a, b, c].map((host) => open(host));
    [a, b, c].forEach((host, index) => cursors[index] && read(host, cursors[index]));
    b.write({ k: "first" });
    mesh.pass(50);
    a.write({ k: "second" });
    mesh.settle();
    for (const other of [a, c]) mesh.heal(b, other);
    mesh.until("all agree", () => [a, b, c].every((host) => host.conflicts("k").length === 1));
    const told = [a, b, c].map((host, index) => (cursors[index] ? read(host, cursors[index]) : []));
    expect(told[0]).toEqual(["put k=second", "conflict k=second over first"]);
    expect(told[1]).toEqual(["put k=first", "put k=second", "conflict k=second over first"]);
    expect(told[2]?.filter((line) => line.startsWith("conflict"))).toEqual(["conflict k=second over first"]);
  });

  it("is told when a deadline passes, once, and after the put when it had passed before", () => {
    const { mesh, a, b } = threeHosts();
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "short" }, mesh.nowMs + 200);
    mesh.settle();
    expect(read(a, cursor)).toEqual(["put k=short"]);
    mesh.pass(400);
    expect(read(a, cursor)).toEqual(["expire k=short"]);
    mesh.cut(a, b);
    b.write({ late: "gone" }, mesh.nowMs + 100);
    mesh.pass(1000);
    mesh.heal(a, b);
    mesh.pass(1000);
    expect(read(a, cursor).filter((line) => line.includes("late"))).toEqual([
      "put late=gone",
      "expire late=gone",
    ]);
  });
});

describe("watchers that were told everything", () => {
  it("have one token where they were shown the same, and only there", () => {
    const { mesh, a, b } = threeHosts();
    const cursors = [open(a), open(a)] as const;
    const tokens = (): Uint8Array[] => cursors.map((cursor) => cursor.token());
    for (const cursor of cursors) read(a, cursor);
    a.write({ k: "1" });
    mesh.settle();
    for (const cursor of cursors) expect(read(a, cursor)).toEqual(["put k=1"]);
    const [one, twin] = tokens();
    expect(one).toBe(twin);
    // It was shown nothing, so it may go on where that write has not come yet.
    expect(open(a).token()).not.toEqual(one);
    a.write({ k: "2" });
    mesh.settle();
    expect(read(a, cursors[0])).toEqual(["put k=2"]);
    mesh.pass(200);
    const told = [one, tokens()[0]].map((token) => token && read(b, open(b, { token })));
    expect(told).toEqual([["put k=2", "synced"], ["synced"]]);
  });
});

describe("a watcher that begins with the state", () => {
  it("is told the state, then that it is whole, then changes", () => {
    const { mesh, a } = threeHosts();
    a.write({ "k/1": "1", "k/2": "2", "k/3": "3", x: "no", k: "no" });
    a.write({ "k/2": undefined });
    mesh.settle();
    const cursor = open(a, {
      initial: true,
      target: { kind: "prefix", text: "k/" as KeyText },
      eventsMax: 1,
    });
    expect(read(a, cursor, 1)).toEqual(["put k/1=1"]);
    a.write({ "k/1": "changed", "k/3": "changed too" });
    mesh.settle();
    expect(read(a, cursor)).toEqual(["put k/1=changed", "put k/3=changed too", "synced"]);
  });

  it("goes on in the middle of the state, elsewhere", () => {
    const { mesh, a, b } = threeHosts();
    a.write({ 1: "1", 2: "2", 3: "3" });
    mesh.pass(500);
    const cursor = open(a, { initial: true, eventsMax: 1 });
    expect(read(a, cursor, 1)).toEqual(["put 1=1"]);
    expect(read(b, open(b, { token: cursor.token() }))).toEqual(["put 2=2", "put 3=3", "synced"]);
  });
});

describe("a watcher that goes on elsewhere", () => {
  it("is told what it missed, each key's latest state only, and nothing again", () => {
    const { mesh, a, b } = threeHosts();
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "seen" });
    mesh.pass(200);
    expect(read(a, cursor)).toEqual(["put k=seen"]);
    a.write({ j: "1" });
    a.write({ j: "2" });
    a.write({ k: undefined });
    mesh.pass(200);
    expect(read(b, open(b, { token: cursor.token() }))).toEqual(["put j=2", "delete k", "synced"]);
  });

  it("is told that a value has expired, also where one response cannot hold both", () => {
    const { mesh, a, b } = threeHosts();
    const [one, all] = [{ kind: "key", text: "k" as KeyText }, ALL] as const;
    const cursors = [one, all].map((target) => open(a, { target }));
    const tokens = cursors.map((cursor) => {
      read(a, cursor);
      return cursor.token();
    });
    a.write({ k: "x".repeat(40_000) }, mesh.nowMs + 1000);
    mesh.pass(2000);
    for (const [index, target] of [one, all].entries()) {
      const told = read(b, open(b, { target, token: tokens[index] ?? new Uint8Array() }));
      expect(told.map((line) => line.slice(0, 8))).toEqual(["put k=xx", "expire k", "synced"]);
    }
  });

  it("is not told what it left behind before it began, however long it catches up with the rest", () => {
    const { mesh, a, b, c } = threeHosts();
    mesh.cut(b, c);
    mesh.cut(a, c);
    b.write({ k: "before it began" });
    c.write({ x: "1", y: "2" });
    mesh.pass(200);
    const cursor = open(a);
    expect(read(a, cursor)).toEqual(["synced"]);
    const resumed = open(c, { token: cursor.token(), eventsMax: 1 });
    expect(read(c, resumed, 1)).toEqual(["put x=1"]);
    // Every response has a token.
    resumed.token();
    expect(read(c, resumed)).toEqual(["put y=2", "synced"]);
    mesh.heal(b, c);
    mesh.until("it has come", () => c.values.k !== undefined);
    expect(read(c, resumed)).toEqual([]);
  });

  it("waits until the other has what it was told", () => {
    const { mesh, a, b, c } = threeHosts();
    const cursor = open(a);
    read(a, cursor);
    for (const other of [b, c]) mesh.cut(a, other);
    b.write({ k: "older" });
    mesh.pass(50);
    a.write({ k: "newer" });
    mesh.settle();
    expect(read(a, cursor)).toEqual(["put k=newer"]);
    const resumed = open(b, { token: cursor.token() });
    expect(read(b, resumed)).toEqual(["behind"]);
    for (const other of [b, c]) mesh.heal(a, other);
    mesh.pass(4000);
    // Nothing falls back to the older write; that it lost is told.
    expect(read(b, resumed)).toEqual(["conflict k=newer over older", "synced"]);
  });

  it("is not left with nothing when what was to come instead is lost with its replica", () => {
    const { mesh, a, b, c } = threeHosts();
    const cursor = open(a, { eventsMax: 1 });
    read(a, cursor);
    const token = cursor.token();
    a.write({ k: "first" });
    for (let index = 0; index < 4; index += 1) a.write({ [`filler/${index}`]: "x".repeat(100) });
    mesh.pass(200);
    for (const other of [b, c]) mesh.cut(a, other);
    a.write({ k: "second" });
    mesh.settle();
    // It reads the logs of `a`, where `first` is left out for `second`, and stops in between.
    const halfway = open(a, { token, eventsMax: 1 });
    expect(read(a, halfway, 1)).toEqual(["put filler/0=" + "x".repeat(100)]);
    mesh.stop(a);
    mesh.pass(500);
    const resumed = open(b, { token: halfway.token() });
    expect(read(b, resumed)).toEqual(["behind"]);
  });

  it("is told when the history does not reach back", () => {
    const { mesh, a, b } = threeHosts({ historyMs: 1000, historyBytes: 1e9 });
    const cursor = open(a);
    read(a, cursor);
    a.write({ k: "1" });
    mesh.pass(200);
    expect(read(b, open(b, { token: cursor.token() }))).toEqual(["put k=1", "synced"]);
    read(a, cursor);
    mesh.pass(8000);
    // One that was there all the time knows that nothing has happened.
    expect(read(b, open(b, { token: cursor.token() }))).toEqual(["synced"]);
    const old = cursor.token();
    mesh.stop(a);
    mesh.start("a", { historyMs: 1000, historyBytes: 1e9 });
    mesh.pass(8000);
    expect(read(b, open(b, { token: old }))).toEqual(["RESUME_TOO_OLD"]);
  });

  it("is told the rest of a state only where all of it has come", () => {
    const { mesh, a, b, c } = threeHosts();
    a.write({ k1: "old", k2: "old" });
    mesh.settle();
    for (const other of [b, c]) mesh.cut(a, other);
    a.write({ k2: "new" });
    mesh.pass(200);
    const begun = open(a, { initial: true, eventsMax: 1 });
    expect(read(a, begun, 1)).toEqual(["put k1=old"]);
    const token = begun.token();
    expect(read(b, open(b, { token }))).toEqual(["behind"]);
    for (const host of [b, c]) mesh.heal(a, host);
    mesh.settle();
    mesh.until("b has all of it", () => !read(b, open(b, { token })).includes("behind"));
    expect(read(b, open(b, { token }))).toEqual(["put k2=new", "synced"]);
  });

  it("goes on where its replica has taken a new identity", () => {
    const { mesh, a, b, c } = threeHosts();
    const cursor = open(c);
    read(c, cursor);
    for (const other of [a, b]) mesh.cut(c, other);
    c.write({ mine: "written alone" });
    mesh.settle();
    expect(read(c, cursor)).toEqual(["put mine=written alone"]);
    a.write({ yours: "written there" });
    const removed = c.replica.id;
    a.host.change(a.wallMs, ({ peering }) => peering.remove(removed, true, a.wallMs));
    mesh.settle();
    for (const other of [a, b]) mesh.heal(c, other);
    mesh.until("c has rejoined", () => c.count("rejoined") === 1);
    mesh.pass(1000);
    const told = read(c, cursor);
    expect(told).toContain("put yours=written there");
    expect(told.filter((line) => line.includes("mine"))).toEqual(["put mine=written alone"]);
    expect(told).not.toContain("RESUME_TOO_OLD");
  });

  /** A live copy of the directory of `b` meets nobody, and nothing is written there; `token` is that of one who watches it. */
  function copiedHost(isAlone: boolean): Record<"a" | "b" | "c", WiredHost> & {
    readonly mesh: WiredHosts;
    readonly token: () => Uint8Array;
  } {
    const { mesh, a, b, c } = threeHosts();
    mesh.stop(b);
    if (isAlone) for (const other of [a, c]) mesh.cut(b, other);
    const image = b.image();
    const copy = mesh.start("copy", HISTORY);
    for (const other of [a, b, c]) mesh.cut(copy, other);
    mesh.stop(copy);
    copy.restore(image);
    mesh.start("copy", HISTORY);
    mesh.start("b", { ...HISTORY, peers: ["a"] });
    mesh.pass(500);
    const cursor = open(copy);
    read(copy, cursor);
    return { mesh, a, b, c, token: () => cursor.token() };
  }

  it("is told to begin afresh where the log goes on that of another copy of a directory", () => {
    const { mesh, a, b, token } = copiedHost(false);
    b.write({ k: "of the original" });
    // The copy claims, at rest, that it has written nothing up to now.
    mesh.pass(1000);
    expect(a.values.k).toBe("of the original");
    expect(read(a, open(a, { token: token() }))).toEqual(["RESUME_TOO_OLD"]);
  });

  it("is told so once that log comes, too", () => {
    const { mesh, a, b, c, token } = copiedHost(true);
    b.write({ k: "of the original" });
    mesh.pass(1000);
    const cursor = open(a, { token: token() });
    expect(read(a, cursor)).toEqual(["synced"]);
    for (const other of [a, c]) mesh.heal(b, other);
    mesh.until("it has come", () => a.values.k !== undefined);
    expect(read(a, cursor)).toEqual(["RESUME_TOO_OLD"]);
  });
});
