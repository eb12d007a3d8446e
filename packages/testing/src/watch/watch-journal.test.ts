/** The journal accepts what a watcher may be told, and refuses each way in which a watch can go wrong. */
import { describe, expect, test } from "vitest";
import { type FinalKey, type ToldEvent, WatchJournal, WatchViolation } from "./watch-journal.ts";

function told(kind: ToldEvent["kind"], version: string, loser?: string): ToldEvent {
  return { kind, key: "k", version, loser };
}

function final(version: string, fields: Partial<FinalKey> = {}): FinalKey {
  return { key: "k", version, isDelete: false, isExpired: false, losers: [], ...fields };
}

/** A journal that was told these events, in one stream. */
function journalOf(events: readonly ToldEvent[], compare?: () => number): WatchJournal {
  const journal = new WatchJournal("w", (version) => version !== "unknown", compare);
  journal.resumed("a");
  for (const event of events) journal.told(event);
  return journal;
}

const always = (): boolean => true;

describe("what is told", () => {
  test("may rise, and may leave out what came between", () => {
    const journal = journalOf([told("put", "1"), told("delete", "5"), told("conflict", "5", "4")]);
    journal.atRest([], always);
    expect([journal.events, journal.streams]).toEqual([3, 1]);
  });

  test("is refused when it is old, told twice, or written by nobody", () => {
    expect(() => journalOf([told("put", "2"), told("put", "1")])).toThrow(WatchViolation);
    expect(() => journalOf([told("put", "2"), told("put", "2")])).toThrow(/told twice/);
    expect(() => journalOf([told("put", "unknown")])).toThrow(/nobody wrote/);
    expect(() => journalOf([told("conflict", "3", "2"), told("conflict", "3", "2")])).toThrow(/told twice/);
  });

  test("may say once in every stream that a key has expired", () => {
    const journal = journalOf([told("put", "1"), told("expire", "1")]);
    journal.resumed("b");
    journal.told(told("expire", "1"));
    expect(() => journal.told(told("expire", "1"))).toThrow(/told twice/);
  });
});

describe("at rest", () => {
  test("every key was told as it is, with its losers, and its end", () => {
    const journal = journalOf([told("put", "1"), told("conflict", "1", "0")]);
    journal.atRest([final("1", { losers: [["0"]] })], always);
    expect(() => journal.atRest([], always)).toThrow(/its end was not told/);
    expect(() => journal.atRest([final("2")], always)).toThrow(/was told last/);
    expect(() => journal.atRest([final("1", { losers: [["0"], ["x", "y"]] })], always)).toThrow(/conflict/);
  });

  test("what was there before need not have been told", () => {
    journalOf([]).atRest([final("2")], (version) => version !== "2");
    expect(() => journalOf([]).atRest([final("2")], always)).toThrow(/nothing was told/);
  });
});

test("a journal that cannot compare when it is told names what was misordered, as soon as the order is known", () => {
  const journal = journalOf(
    [told("put", "2"), told("put", "1"), told("put", "9"), told("put", "3")],
    () => 1,
  );
  expect(journal.misordered((version) => version !== "9")).toHaveLength(1);
  expect(journal.misordered(always)).toHaveLength(2);
  expect(journal.misordered((version) => version === "1" || version === "3")).toEqual([]);
});
