/** Each checker accepts what may happen, and refuses each history in which its promise is broken. */
import { describe, expect, test } from "vitest";
import { alwaysHonestVersions } from "./always-honest-versions.ts";
import { alwaysRising } from "./always-rising.ts";
import { alwaysWritten } from "./always-written.ts";
import { eventuallyEqual } from "./eventually-equal.ts";
import { eventuallyKept } from "./eventually-kept.ts";
import { eventuallyListed } from "./eventually-listed.ts";
import type { FoundEntry, History, ReadAnswer, ServerState, WriteAttempt } from "./history.ts";

/** A write of `k` on server `a` that was acknowledged within one millisecond. */
function write(atMs: number, version: string, fields: Partial<WriteAttempt> = {}): WriteAttempt {
  const ok = { server: "a", epoch: 0, key: "k", outcome: "ok", isObliged: true } as const;
  return { ...ok, value: `value ${version}`, invokedAtMs: atMs, endedAtMs: atMs + 1, version, ...fields };
}

function read(atMs: number, version: string | undefined, fields: Partial<ReadAnswer> = {}): ReadAnswer {
  const entry = version === undefined ? undefined : { version, value: `value ${version}` };
  return { server: "a", epoch: 0, key: "k", invokedAtMs: atMs, endedAtMs: atMs + 1, entry, ...fields };
}

function history(writes: readonly WriteAttempt[], reads: readonly ReadAnswer[] = []): History {
  return { writes, reads };
}

function state(server: string, entries: Readonly<Record<string, FoundEntry>>, digest = "d"): ServerState {
  return { server, digest, entries: new Map(Object.entries(entries)), conflicts: new Map() };
}

const remove = { value: undefined };

describe("always-honest-versions", () => {
  test("lets versions rise, and lets overlapping writes take any order", () => {
    expect(alwaysHonestVersions(history([write(0, "1"), write(2, "2")]))).toEqual([]);
    expect(alwaysHonestVersions(history([write(0, "2", { endedAtMs: 5 }), write(2, "1")]))).toEqual([]);
    expect(alwaysHonestVersions(history([write(0, "2"), write(2, "1", { server: "b" })]))).toEqual([]);
    expect(alwaysHonestVersions(history([write(0, "2"), write(2, "1", { epoch: 1 })]))).toEqual([]);
  });

  test("refuses a later write with an earlier version, whatever its key", () => {
    expect(alwaysHonestVersions(history([write(0, "2"), write(2, "1", { key: "other" })]))).toHaveLength(1);
  });

  test("refuses a version that names two writes", () => {
    expect(alwaysHonestVersions(history([write(0, "2"), write(0, "2", { server: "b" })]))).toHaveLength(1);
  });
});

describe("always-rising", () => {
  test("accepts newer versions, deletes, and what overlaps", () => {
    const writes = [write(0, "1"), write(2, "2", remove), write(10, "3")];
    expect(alwaysRising(history(writes, [read(1.5, "1"), read(4, undefined), read(12, "3")]))).toEqual([]);
    expect(alwaysRising(history([write(0, "1", { endedAtMs: 9 })], [read(2, undefined)]))).toEqual([]);
  });

  test("accepts that another server is behind, and that a directory was replaced", () => {
    const writes = [write(0, "1"), write(2, "2")];
    expect(alwaysRising(history(writes, [read(5, "2"), read(7, "1", { server: "b" })]))).toEqual([]);
    expect(alwaysRising(history(writes, [read(5, "2"), read(7, "1", { epoch: 1 })]))).toEqual([]);
  });

  test("accepts a version that nobody was told before a later one that was", () => {
    expect(alwaysRising(history([write(0, "1")], [read(2, "9"), read(4, "1")]))).toEqual([]);
  });

  test("refuses an older version after a newer one was read or acknowledged there", () => {
    const writes = [write(0, "1", { server: "b" }), write(2, "2", { server: "b" })];
    expect(alwaysRising(history(writes, [read(5, "2"), read(7, "1")]))).toHaveLength(1);
    expect(alwaysRising(history([write(0, "1"), write(2, "2")], [read(5, "1")]))).toHaveLength(1);
  });

  test("refuses what was deleted, by whoever was told so", () => {
    expect(alwaysRising(history([write(0, "1"), write(2, "2", remove)], [read(5, "1")]))).toHaveLength(1);
  });

  test("refuses what was there, then was not, and is there again", () => {
    const writes = [write(0, "1", { server: "b" })];
    const reads = [read(5, "1"), read(7, undefined), read(9, "1")];
    expect(alwaysRising(history(writes, reads))).toHaveLength(1);
    expect(
      alwaysRising(history(writes, [read(5, "1"), read(7, undefined, { endedAtMs: 20 }), read(9, "1")])),
    ).toEqual([]);
  });
});

describe("always-written", () => {
  const shown = { version: "1", value: "value 1" };

  test("accepts acknowledged values, and uncertain ones under any version", () => {
    expect(alwaysWritten(history([write(0, "1")], [read(3, "1")]), [state("a", { k: shown })])).toEqual([]);
    const uncertain = write(0, "", { outcome: "unknown", value: "value 7" });
    expect(alwaysWritten(history([uncertain], [read(3, "7")]))).toEqual([]);
  });

  test("refuses the value of another write, of another key, of a refused write, and of none", () => {
    const other = { version: "1", value: "value 2" };
    const writes = [write(0, "1"), write(2, "2")];
    expect(alwaysWritten(history(writes), [state("a", { k: other })])).toHaveLength(1);
    expect(alwaysWritten(history(writes), [state("a", { j: shown })])).toHaveLength(1);
    const refused = write(0, "", { outcome: "fail", value: "value 7" });
    expect(alwaysWritten(history([refused], [read(3, "7")]))).toHaveLength(1);
    expect(alwaysWritten(history([], [read(3, "1")]))).toHaveLength(1);
  });
});

describe("eventually-equal", () => {
  const entry = { version: "1", value: "value 1" };

  test("accepts equal states", () => {
    expect(eventuallyEqual([state("a", { k: entry }), state("b", { k: entry })])).toEqual([]);
  });

  test("refuses another version, another value, a missing key and another digest", () => {
    const a = state("a", { k: entry });
    expect(eventuallyEqual([a, state("b", { k: { ...entry, version: "2" } })])).toHaveLength(1);
    expect(eventuallyEqual([a, state("b", { k: { ...entry, value: "x" } })])).toHaveLength(1);
    expect(eventuallyEqual([a, state("b", {})])).toHaveLength(1);
    expect(eventuallyEqual([state("b", {}), a])).toHaveLength(1);
    expect(eventuallyEqual([a, state("b", { k: entry }, "e")])).toHaveLength(1);
  });
});

describe("eventually-kept", () => {
  const at = (version: string): ReadonlyMap<string, FoundEntry> =>
    new Map([["k", { version, value: `value ${version}` }]]);
  const none: ReadonlyMap<string, FoundEntry> = new Map();

  test("accepts the greatest write, and anything that came after it", () => {
    expect(eventuallyKept(history([write(0, "1"), write(2, "2")]), at("2"))).toEqual([]);
    expect(eventuallyKept(history([write(0, "1")]), at("5"))).toEqual([]);
    expect(eventuallyKept(history([write(0, "1"), write(2, "2", remove)]), none)).toEqual([]);
    expect(
      eventuallyKept(history([write(0, "1"), write(2, "", { ...remove, outcome: "unknown" })]), none),
    ).toEqual([]);
    expect(eventuallyKept(history([write(0, "2", { isObliged: false })]), none)).toEqual([]);
  });

  test("refuses that a write is lost", () => {
    expect(eventuallyKept(history([write(0, "1"), write(2, "2")]), at("1"))).toHaveLength(1);
    expect(eventuallyKept(history([write(0, "1")]), none)).toHaveLength(1);
    expect(eventuallyKept(history([write(0, "1", remove), write(2, "2")]), none)).toHaveLength(1);
  });

  test("refuses that a deleted key is back", () => {
    expect(eventuallyKept(history([write(0, "1"), write(2, "2", remove)]), at("1"))).toHaveLength(1);
  });
});

describe("eventually-listed", () => {
  const entry = (version: string): FoundEntry => ({ version, value: `value ${version}` });
  const listed = (server: string, losers: readonly FoundEntry[], winner = entry("3")): ServerState => ({
    ...state(server, { k: winner }),
    conflicts: new Map(losers.length === 0 ? [] : [["k", losers]]),
  });
  const duel = { key: "k", values: ["value 3", "value 2"] } as const;

  test("accepts the same lists, and a duel of which the loser is listed", () => {
    expect(eventuallyListed([listed("a", [entry("2")]), listed("b", [entry("2")])], [duel])).toEqual([]);
    expect(eventuallyListed([listed("a", []), listed("b", [])])).toEqual([]);
  });

  test("refuses another loser, a missing one, and one under another winner", () => {
    expect(eventuallyListed([listed("a", [entry("2")]), listed("b", [entry("1")])])).toHaveLength(1);
    expect(eventuallyListed([listed("a", [entry("2")]), listed("b", [])])).toHaveLength(1);
    const other = listed("b", [entry("2")], entry("4"));
    expect(eventuallyListed([listed("a", [entry("2")]), other])).toHaveLength(1);
  });

  test("refuses a duel of which the loser is nowhere, or is not the only one, or both are gone", () => {
    expect(eventuallyListed([listed("a", []), listed("b", [])], [duel])).toHaveLength(2);
    expect(eventuallyListed([listed("a", [entry("2"), entry("1")])], [duel])).toHaveLength(1);
    expect(eventuallyListed([state("a", {})], [duel])).toHaveLength(1);
  });
});
