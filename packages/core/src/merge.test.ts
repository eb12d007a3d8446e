import { replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { Context } from "./context.ts";
import { conflictsOf, type Entry } from "./entry.ts";
import type { KeyText } from "./ids.ts";
import { contextOf, covers, mergeRecord } from "./merge.ts";
import { makeRecord, type WriteRecord } from "./record.ts";

interface Options {
  readonly value?: number;
  /** Timestamps and origins that the writer had seen. */
  readonly over?: readonly (readonly [timestamp: number, origin: number])[];
  readonly isDelete?: boolean;
}

function write(
  timestamp: number,
  origin: number,
  { value = timestamp, over = [], isDelete = false }: Options = {},
): WriteRecord {
  return makeRecord({
    timestamp,
    origin: replicaId(origin),
    key: "k" as KeyText,
    isDelete,
    value: isDelete ? new Uint8Array(0) : Uint8Array.of(value),
    expiresAtMs: 0,
    context: over.map(([at, of]) => ({ timestamp: at, origin: replicaId(of) })),
    moreFollows: false,
    adopted: undefined,
  });
}

function adopt(record: WriteRecord, timestamp: number, adopter: number, raisedTo?: number): WriteRecord {
  const original = record.adopted ?? record;
  return makeRecord({
    ...record,
    timestamp,
    origin: replicaId(adopter),
    adopted: {
      timestamp: original.timestamp,
      origin: original.origin,
      checksum: original.checksum,
      rank: raisedTo ?? record.timestamp,
      raised: raisedTo !== undefined,
    },
  });
}

function merge(...records: readonly WriteRecord[]): Entry {
  const [first, ...rest] = records;
  if (first === undefined) throw new Error("no records");
  return rest.reduce((entry: Entry, record) => mergeRecord(entry, record), mergeRecord(undefined, first));
}

describe("merging", () => {
  it("replaces what the writer had seen and keeps what it had not", () => {
    const [first, seen, unseen] = [write(1, 1), write(2, 1, { over: [[1, 1]] }), write(3, 2)];
    expect(merge(first, seen)).toEqual({ winner: seen, siblings: [] });
    expect(merge(first, unseen)).toEqual({ winner: unseen, siblings: [first] });
    expect(merge(unseen, first)).toEqual({ winner: unseen, siblings: [first] });
  });

  it("settles all losers at once when a later writer has seen them", () => {
    const later = write(9, 3, {
      over: [
        [1, 1],
        [2, 2],
      ],
    });
    expect(merge(write(1, 1), write(2, 2), later)).toEqual({ winner: later, siblings: [] });
    expect(merge(later, write(2, 2), write(1, 1))).toEqual({ winner: later, siblings: [] });
  });

  it("keeps a losing delete, since it covers what may still arrive", () => {
    const [put, remove, winner] = [write(1, 1), write(2, 2, { isDelete: true, over: [[1, 1]] }), write(3, 3)];
    expect(merge(remove, winner, put)).toEqual({ winner, siblings: [remove] });
    expect(conflictsOf(merge(remove, winner, put))).toEqual([]);
  });

  it("counts records that adopt one version as one, in the form that competes best", () => {
    const original = write(1, 9);
    const [low, high] = [adopt(original, 10, 1), adopt(original, 11, 2, 8)];
    for (const order of [
      [low, high, original],
      [original, low, high],
      [high, original, low],
    ]) {
      expect(merge(...order)).toEqual({ winner: high, siblings: [] });
    }
    const winner = write(20, 3);
    expect(merge(winner, low, high, original).siblings).toEqual([high]);
    expect(
      merge(
        write(20, 3, {
          over: [
            [11, 2],
            [1, 9],
          ],
        }),
        low,
        high,
        original,
      ).siblings,
    ).toEqual([]);
  });

  it("does not list a raised winner, once it is beaten, that a sibling covers", () => {
    const seen = write(1, 8);
    const covering = adopt(write(2, 9, { over: [[1, 8]] }), 10, 1, 5);
    const raised = adopt(seen, 11, 2, 6);
    const winner = write(20, 3);
    expect(merge(covering, raised)).toEqual({ winner: raised, siblings: [covering] });
    expect(merge(covering, raised, winner)).toEqual({ winner, siblings: [covering] });
    expect(merge(winner, raised, covering)).toEqual({ winner, siblings: [covering] });
    expect(merge(raised, winner, covering)).toEqual({ winner, siblings: [covering] });
  });

  it("returns the same object when nothing changes", () => {
    const entry = merge(write(1, 1), write(3, 2));
    for (const known of [write(1, 1), write(3, 2)]) expect(mergeRecord(entry, known)).toBe(entry);
  });
});

describe("covering", () => {
  it("is by the version that travels, or by the original of what was adopted", () => {
    const original = write(4, 9);
    const adopted = adopt(original, 10, 1);
    const by = (...over: [number, number][]): WriteRecord => write(20, 2, { over });
    expect(covers(by([10, 1]), adopted)).toBe(true);
    expect(covers(by([9, 1]), adopted)).toBe(false);
    expect(covers(by([4, 9]), adopted)).toBe(true);
    expect(covers(by([4, 9]), original)).toBe(true);
    expect(covers(by([10, 1]), original)).toBe(false);
    expect(covers(by(), original)).toBe(false);
  });
});

describe("the context of a new write", () => {
  const named = (context: Context): string =>
    context.map(({ timestamp, origin }) => `${timestamp}@${Number.parseInt(origin, 16)}`).join(" ");
  const members = new Set([1, 2, 3].map(replicaId));

  it("is empty for a key that is not there", () => {
    expect(contextOf(undefined, 0, members)).toEqual([]);
  });

  it("names winner, siblings, their originals, and what they had seen", () => {
    const entry = merge(
      write(5, 1, {
        over: [
          [2, 1],
          [4, 3],
        ],
      }),
      adopt(write(1, 9, { over: [[1, 8]] }), 6, 2),
    );
    expect(named(contextOf(entry, 0, members))).toBe("5@1 6@2 4@3 1@8 1@9");
  });

  it("leaves out what a record at or below the horizon had seen of the origins that it waited for", () => {
    const entry = merge(
      write(5, 1, {
        over: [
          [4, 3],
          [3, 7],
        ],
      }),
    );
    expect(named(contextOf(entry, 4, members))).toBe("5@1 4@3 3@7");
    expect(named(contextOf(entry, 5, members))).toBe("5@1 3@7");
  });
});
