import {
  arrivalsOf,
  forgettingHistories,
  type History,
  histories,
  settle,
  showRecord,
  writeName,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conflictsOf, type Entry, isLive } from "./entry.ts";
import { contextOf, covers, mergeRecord } from "./merge.ts";
import { compareRecords, originalTimestamp, rankOf, type WriteRecord } from "./record.ts";
import { timestampFromMs } from "./timestamp.ts";

const RUNS = { numRuns: 600 };
const picks = fc.array(fc.nat(), { maxLength: 30, size: "max" });

/** What a test compares: the winner and the unsettled conflicts, greatest first. */
interface Outcome {
  readonly winner: string | undefined;
  readonly conflicts: readonly string[];
}

function fold(records: readonly WriteRecord[]): Entry | undefined {
  let entry: Entry | undefined;
  for (const record of records) entry = mergeRecord(entry, record);
  return entry;
}

function outcomeOf(entry: Entry | undefined): Outcome {
  if (entry === undefined) return { winner: undefined, conflicts: [] };
  return { winner: showRecord(entry.winner), conflicts: conflictsOf(entry).map(showRecord) };
}

type Covers = (a: WriteRecord, b: WriteRecord) => boolean;

/** The writer of `a` wrote when the deadline of `b` had passed. */
const isAfterDeadline: Covers = (a, b) =>
  b.expiresAtMs > 0 && originalTimestamp(a) >= timestampFromMs(b.expiresAtMs);

/** A context contains a version when it has a version of that origin that is not older. Straight from the design. */
const coversByContext: Covers = (a, b) =>
  [b, ...(b.adopted === undefined ? [] : [b.adopted])].some(({ origin, timestamp }) =>
    a.context.some((seen) => seen.origin === origin && seen.timestamp >= timestamp),
  );

/** The stupid twin of merging: rule X1 over the whole set of accepted records, in quadratic time. */
function outcomeByRule(records: readonly WriteRecord[], coversRecord: Covers = coversByContext): Outcome {
  const descending = [...new Set(records)].sort((a, b) => compareRecords(b, a));
  const [winner] = descending;
  if (winner === undefined) return { winner: undefined, conflicts: [] };
  // Records that adopt one version count as one with it: the greatest speaks for all.
  const writes = descending.filter(
    (record, index) => descending.findIndex((r) => writeName(r) === writeName(record)) === index,
  );
  const conflicts = writes.filter((loser) => {
    const forms = descending.filter((record) => writeName(record) === writeName(loser));
    const others = descending.filter((record) => writeName(record) !== writeName(loser));
    const isSettled = others.some((other) =>
      forms.some((form) => coversRecord(other, form) || isAfterDeadline(other, form)),
    );
    const looksLikeWinner =
      winner.expiresAtMs === loser.expiresAtMs &&
      !winner.isDelete &&
      winner.value.join() === loser.value.join();
    return loser !== winner && !loser.isDelete && !isSettled && !looksLikeWinner;
  });
  return { winner: showRecord(winner), conflicts: conflicts.map(showRecord) };
}

describe("merging a causally possible history", () => {
  it("gives what the rules say, in any order of arrival, with repetitions", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), picks, ({ records }, order) => {
        expect(outcomeOf(fold(arrivalsOf(records, order)))).toEqual(outcomeByRule(records));
      }),
      RUNS,
    );
  });

  it("keeps the same siblings in any order of arrival", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), picks, picks, ({ records }, one, other) => {
        const first = fold(arrivalsOf(records, one));
        const second = fold(arrivalsOf(records, other));
        expect(first?.siblings.map(showRecord)).toEqual(second?.siblings.map(showRecord));
      }),
      RUNS,
    );
  });

  it("gives what the rules say at every writer, whatever part it has", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), ({ writers }) => {
        for (const { entry, accepted } of writers) expect(outcomeOf(entry)).toEqual(outcomeByRule(accepted));
      }),
      RUNS,
    );
  });

  it("changes nothing, to the object, when a record arrives again", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), picks, ({ records }, order) => {
        const entry = fold(arrivalsOf(records, order));
        for (const record of records) expect(mergeRecord(entry, record)).toBe(entry);
      }),
      RUNS,
    );
  });

  it("keeps siblings below the winner, in order, each write once, none that another covers", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), picks, ({ records }, order) => {
        const entry = fold(arrivalsOf(records, order));
        const kept = entry === undefined ? [] : [entry.winner, ...entry.siblings];
        expect(kept).toEqual([...kept].sort((a, b) => compareRecords(b, a)));
        expect(new Set(kept.map(writeName)).size).toBe(kept.length);
        for (const sibling of kept.slice(1)) {
          expect(kept.filter((record) => covers(record, sibling))).toEqual([]);
        }
      }),
      RUNS,
    );
  });
});

describe("contexts in a causally possible history", () => {
  it("cover exactly what the author had seen, in whatever form it travels", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), ({ records, seenBy }) => {
        for (const a of records) {
          const covered = records.filter((b) => covers(a, b)).map(showRecord);
          const seen = records
            .filter((b) => seenBy.get(writeName(a))?.has(writeName(b)) === true)
            .map(showRecord);
          expect(covered).toEqual(seen);
        }
      }),
      RUNS,
    );
  });

  it("never cover the record itself, nor each other", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), ({ records }) => {
        const mutual = records.flatMap((a) => records.filter((b) => covers(a, b) && covers(b, a)));
        expect(mutual).toEqual([]);
      }),
      RUNS,
    );
  });

  it("of a record are those of its original, and a raised record ranks at least as its original", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), ({ records }) => {
        const adopted = records.filter((record) => record.adopted !== undefined);
        for (const record of adopted) {
          const original = records.find((r) => r.adopted === undefined && writeName(r) === writeName(record));
          expect(record.context).toEqual(original?.context);
          expect(rankOf(record)).toBeGreaterThanOrEqual(originalTimestamp(record));
        }
      }),
      RUNS,
    );
  });

  it("make a new write cover everything that the entry shows, and beat it", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), ({ writers }) => {
        for (const writer of writers) {
          writer.write({ value: 7, ttlMs: 0 });
          expect(writer.entry?.winner.value).toEqual(Uint8Array.of(7));
          expect(writer.entry?.siblings).toEqual([]);
        }
      }),
      RUNS,
    );
  });
});

describe("a mesh that cuts contexts and forgets", () => {
  /** Rule X1 over what the authors had truly seen, however much of it their contexts still say. */
  function outcomeByTruth({ seenBy }: History, records: readonly WriteRecord[]): Outcome {
    return outcomeByRule(records, (a, b) => seenBy.get(writeName(a))?.has(writeName(b)) === true);
  }

  it("shows the conflicts that truly are, at every member at any time", () => {
    fc.assert(
      fc.property(forgettingHistories({ deadlines: true }), (history) => {
        for (const { entry, accepted } of history.writers) {
          expect(outcomeOf(entry).conflicts).toEqual(outcomeByTruth(history, accepted).conflicts);
        }
      }),
      RUNS,
    );
  });

  it("settles to one state, in which only forgotten deletes and expired puts are missing", () => {
    fc.assert(
      fc.property(forgettingHistories({ deadlines: true }), (history) => {
        settle(history.writers);
        for (const { entry, accepted } of history.writers) {
          const truth = outcomeByTruth(history, accepted);
          const winner = accepted.find((record) => showRecord(record) === truth.winner);
          const live =
            winner === undefined || winner.isDelete || winner.expiresAtMs > 0 ? undefined : truth.winner;
          expect(isLive(entry, Number.MAX_SAFE_INTEGER) ? showRecord(entry.winner) : undefined).toBe(live);
          expect(outcomeOf(entry).conflicts).toEqual(truth.conflicts);
        }
      }),
      RUNS,
    );
  });

  it("never names in a context what every member has, unless it is still shown", () => {
    fc.assert(
      fc.property(forgettingHistories({ deadlines: true }), ({ writers }) => {
        for (const { entry, horizon, horizonMembers } of writers) {
          const shown = entry === undefined ? [] : [entry.winner, ...entry.siblings];
          const forms = shown.flatMap((record) => [record, ...(record.adopted ? [record.adopted] : [])]);
          const old = shown.filter((record) => record.timestamp > horizon).flatMap(({ context }) => context);
          for (const seen of contextOf(entry, horizon, horizonMembers)) {
            const isNeeded =
              !horizonMembers.has(seen.origin) ||
              [...forms, ...old].some((v) => v.origin === seen.origin && v.timestamp === seen.timestamp);
            expect(isNeeded).toBe(true);
          }
        }
      }),
      RUNS,
    );
  });
});
