import { positions, startId } from "@meshkv/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { UNKNOWN_START } from "./ids.ts";
import {
  commonTimestamp,
  isForked,
  type Position,
  positionAt,
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

function positionOf(life: Life, timestamp: number): Position {
  if (life.parent !== undefined && timestamp <= life.recovered) return positionOf(life.parent, timestamp);
  return at(timestamp, life.number, life.recovered);
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

  it("are never called forked when they are not", () => {
    fc.assert(
      fc.property(lives, ends, (all, cuts) => {
        const seen = all.map((life, index) => ({ life, end: Math.max(0, life.last - (cuts[index] ?? 0)) }));
        for (const a of seen) {
          for (const b of seen) {
            const forked = isForked(positionOf(a.life, a.end), positionOf(b.life, b.end));
            const common = trulyCommon(a.life, a.end, b.life, b.end);
            expect(forked && common === Math.min(a.end, b.end)).toBe(false);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("of two starts that recovered from one start are not taken to share more than they do, once called forked", () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, numbers, numbers, (length, back, more, otherBack, otherMore) => {
        const parent: Life = { parent: undefined, recovered: 0, last: length, number: 1 };
        const [recovered, other] = [Math.max(0, length - back), Math.max(0, length - otherBack)];
        const a = { parent, recovered, last: recovered + more, number: 2 };
        const b = { parent, recovered: other, last: other + otherMore, number: 3 };
        const [left, right] = [positionOf(a, a.last), positionOf(b, b.last)];
        const claimed = isForked(left, right) ? commonTimestamp(left, right) : 0;
        expect(claimed).toBeLessThanOrEqual(trulyCommon(a, a.last, b, b.last));
      }),
      { numRuns: 500 },
    );
  });

  it("are judged exactly when one is of the start from which the other's recovered", () => {
    fc.assert(
      fc.property(lives, ends, (all, cuts) => {
        all.forEach((life, index) => {
          if (life.parent === undefined) return;
          const [end, parentEnd] = [life.last, Math.max(0, life.parent.last - (cuts[index] ?? 0))];
          const forked = trulyCommon(life, end, life.parent, parentEnd) < Math.min(end, parentEnd);
          expect(isForked(positionOf(life, end), positionOf(life.parent, parentEnd))).toBe(forked);
        });
      }),
      { numRuns: 500 },
    );
  });

  it("can look consistent when one branch was followed by a further start (the limit in decision 4)", () => {
    const first: Life = { parent: undefined, recovered: 0, last: 10, number: 1 };
    const restarted: Life = { parent: first, recovered: 10, last: 20, number: 2 };
    const restored: Life = { parent: first, recovered: 5, last: 8, number: 3 };
    expect(trulyCommon(restarted, 20, restored, 8)).toBe(5);
    expect(isForked(positionOf(restarted, 20), positionOf(restored, 8))).toBe(false);
  });
});
