import { branchTips, positions, startId } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { type StartId, UNKNOWN_START } from "./ids.ts";
import {
  commonTimestamp,
  isForked,
  laterPosition,
  type Position,
  positionAt,
  positionOf,
  positionWithin,
  readPosition,
  writePosition,
  ZERO_POSITION,
} from "./position.ts";

/** A position of a start by number. */
function at(timestamp: number, start: number, recovered: number): Position {
  return { timestamp, start: startId(start), recovered };
}

describe("positions of one origin", () => {
  it.each([
    ["one start", at(5, 1, 0), at(9, 1, 0), false, 5],
    ["a restart that recovered all that was seen", at(10, 1, 0), at(15, 2, 10), false, 10],
    [
      "a restart seen by one, its forerunner not to the end by the other",
      at(7, 1, 0),
      at(15, 2, 10),
      false,
      7,
    ],
    ["a restart that issued nothing yet", at(10, 1, 0), at(10, 2, 10), false, 10],
    ["a directory restored to 5", at(10, 1, 0), at(8, 2, 5), true, 0],
    ["a restored directory whose copy has overtaken", at(10, 1, 0), at(30, 2, 5), true, 0],
    ["two clones of a directory that had recovered 20", at(24, 2, 20), at(22, 3, 21), true, 20],
    ["two clones that issued nothing yet", at(20, 2, 20), at(20, 3, 20), false, 20],
    ["a start that is not known", positionAt(10), at(8, 2, 5), false, 8],
    ["nothing", ZERO_POSITION, at(8, 2, 5), false, 0],
  ])("with %s", (_name, a, b, forked, common) => {
    expect([isForked(a, b), isForked(b, a)]).toEqual([forked, forked]);
    expect([commonTimestamp(a, b), commonTimestamp(b, a)]).toEqual([common, common]);
  });

  it("have a later one, further on one branch or of the later start, in whatever order it is asked for", () => {
    fc.assert(
      fc.property(branchTips(), branchTips(), branchTips(), (a, b, c) => {
        const later = laterPosition(a, b);
        expect(laterPosition(b, a)).toEqual(later);
        expect(isForked(a, b) || later.timestamp === Math.max(a.timestamp, b.timestamp)).toBe(true);
        expect(laterPosition(later, c)).toEqual(laterPosition(a, laterPosition(b, c)));
      }),
      { numRuns: 1000 },
    );
  });

  it("are judged alike from both sides, and share at most the lesser", () => {
    fc.assert(
      fc.property(positions(), positions(), (a, b) => {
        expect(isForked(a, b)).toBe(isForked(b, a));
        const common = commonTimestamp(a, b);
        expect(common).toBe(commonTimestamp(b, a));
        expect(common).toBeLessThanOrEqual(Math.min(a.timestamp, b.timestamp));
        expect(isForked(a, b) || common === Math.min(a.timestamp, b.timestamp)).toBe(true);
        expect(isForked(a, a)).toBe(false);
        expect(commonTimestamp(a, a)).toBe(a.timestamp);
      }),
      { numRuns: 1000 },
    );
  });

  it("round-trip", () => {
    fc.assert(
      fc.property(positions(), (position) => {
        const writer = new ByteWriter();
        writePosition(writer, position);
        const reader = new ByteReader(writer.finish());
        expect(readPosition(reader)).toEqual(position);
        reader.end();
      }),
    );
    expect(positionAt(4)).toEqual({ timestamp: 4, start: UNKNOWN_START, recovered: 0 });
  });
});

/** One process start of a directory: its log is that of `parent` up to `recovered`, then its own up to `last`. */
interface Life {
  readonly parent: Life | undefined;
  readonly recovered: number;
  readonly last: number;
  readonly number: number;
}

/** The stupid twin: which start issued the record at a timestamp of this log. */
function issuerOf(life: Life, timestamp: number): number {
  return life.parent === undefined || timestamp > life.recovered
    ? life.number
    : issuerOf(life.parent, timestamp);
}

function trulyCommon(a: Life, aEnd: number, b: Life, bEnd: number): number {
  let timestamp = 0;
  while (timestamp < Math.min(aEnd, bEnd) && issuerOf(a, timestamp + 1) === issuerOf(b, timestamp + 1))
    timestamp += 1;
  return timestamp;
}

function seenOf(life: Life, timestamp: number): Position {
  return positionOf(startsOf(life), timestamp);
}

/** The starts of a directory, oldest first. */
function startsOf(life: Life): { id: StartId; recovered: number }[] {
  const before = life.parent === undefined ? [] : startsOf(life.parent);
  return [...before, { id: startId(life.number), recovered: life.recovered }];
}

describe("positions in directories that are restarted, restored and cloned", () => {
  const numbers = fc.nat({ max: 12 });
  /** A first start, and starts that each follow an earlier one: how far before its end, and how much is written. */
  const lives = fc
    .tuple(numbers, fc.array(fc.tuple(numbers, numbers, numbers), { maxLength: 4 }))
    .map(([length, followers]) => {
      const all: Life[] = [{ parent: undefined, recovered: 0, last: length, number: 1 }];
      for (const [which, back, more] of followers) {
        const parent = all[which % all.length];
        const recovered = Math.max(parent?.recovered ?? 0, (parent?.last ?? 0) - back);
        all.push({ parent, recovered, last: recovered + more, number: all.length + 1 });
      }
      return all;
    });
  const ends = fc.array(numbers, { minLength: 5, maxLength: 5 });

  it("are judged exactly: whether they part, and where", () => {
    fc.assert(
      fc.property(lives, ends, (all, cuts) => {
        const seen = all.map((life, index) => ({ life, end: Math.max(0, life.last - (cuts[index] ?? 0)) }));
        for (const a of seen) {
          for (const b of seen) {
            const [left, right] = [seenOf(a.life, a.end), seenOf(b.life, b.end)];
            const common = trulyCommon(a.life, a.end, b.life, b.end);
            expect(commonTimestamp(left, right)).toBe(common);
            expect(isForked(left, right)).toBe(common < Math.min(a.end, b.end));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("are told at an earlier timestamp as they were then", () => {
    fc.assert(
      fc.property(lives, numbers, (all, back) => {
        for (const life of all) {
          const end = Math.max(0, life.last - back);
          expect(positionWithin(seenOf(life, life.last), end)).toEqual(seenOf(life, end));
        }
      }),
    );
  });

  it("name no more than the latest starts; what was before is taken for one line", () => {
    const starts = Array.from({ length: 40 }, (_, index) => ({
      id: startId(index + 1),
      recovered: index * 10,
    }));
    const [last, old] = [positionOf(starts, 395), positionOf(starts.slice(0, 10), 95)];
    expect(last.earlier).toHaveLength(16);
    expect(commonTimestamp(last, old)).toBe(95);
    const restored = positionOf([...starts.slice(0, 10), { id: startId(99), recovered: 93 }], 600);
    expect(commonTimestamp(last, restored)).toBe(93);
    expect(isForked(last, restored)).toBe(true);
  });
});
