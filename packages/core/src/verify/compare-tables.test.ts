import { describe, expect, it } from "vitest";
import type { KeyText, ReplicaId } from "../ids.ts";
import { EMPTY_CONTEXT } from "../context.ts";
import { makeRecord, type WriteRecord } from "../record.ts";
import {
  describeHeld,
  differingKeys,
  type HeldEntry,
  isCompared,
  isReplaced,
  judgeKey,
  type KeyLook,
} from "./compare-tables.ts";
import { RangeSum } from "./range-sum.ts";

const A = "000000000000000a" as ReplicaId;
const NOW = 1_000_000;

interface Made {
  readonly timestamp?: number;
  readonly value?: string | undefined;
  readonly expiresAtMs?: number;
  readonly key?: string;
}

function record({ timestamp = 1, value = "v", expiresAtMs = 0, key = "k" }: Made): WriteRecord {
  return makeRecord({
    timestamp,
    origin: A,
    key: key as KeyText,
    isDelete: false,
    value: new TextEncoder().encode(value),
    expiresAtMs,
    context: EMPTY_CONTEXT,
    moreFollows: false,
    adopted: undefined,
  });
}

function tombstone(timestamp: number): WriteRecord {
  return makeRecord({ ...record({ timestamp }), isDelete: true, value: new Uint8Array(0) });
}

function held(winner?: WriteRecord): HeldEntry {
  const entry = winner && { winner, siblings: [] };
  return describeHeld(winner?.key ?? ("k" as KeyText), entry, NOW);
}

function look(here: HeldEntry, there: HeldEntry, before = here): KeyLook {
  return { before, there, after: here };
}

function upTo(timestamp: number): () => number {
  return () => timestamp;
}

describe("what is compared", () => {
  it("leaves out what replicas forget at different times", () => {
    expect(isCompared(record({}), NOW)).toBe(true);
    expect(isCompared(record({ expiresAtMs: NOW + 1 }), NOW)).toBe(true);
    expect(isCompared(record({ expiresAtMs: NOW }), NOW)).toBe(false);
    expect(isCompared(tombstone(1), NOW)).toBe(false);
  });

  it("sums tell apart versions, keys, and contents of one version, but not orders", () => {
    const records = [record({ key: "a" }), record({ key: "b" }), record({ key: "c", timestamp: 3 })];
    const sumOf = (counted: readonly WriteRecord[]): RangeSum => {
      const sum = new RangeSum();
      for (const one of counted) sum.add(one);
      return sum;
    };
    const sum = sumOf(records);
    expect(sum.entries).toBe(3);
    expect(sumOf([...records].reverse()).matches(sum.encode())).toBe(true);
    const [a, b] = records as [WriteRecord, WriteRecord];
    for (const third of [
      record({ key: "c", timestamp: 4 }),
      record({ key: "d", timestamp: 3 }),
      record({ key: "c", timestamp: 3, value: "w" }),
      b,
    ])
      expect(sumOf([a, b, third]).matches(sum.encode())).toBe(false);
    expect(() => sum.matches(new Uint8Array(15))).toThrow("size");
  });
});

describe("keys that differ", () => {
  it("are those of one list only, and those with another version or content", () => {
    const here = ["a", "b", "d", "e"].map((key) => held(record({ key })));
    const there = [
      held(record({ key: "b" })),
      held(record({ key: "c" })),
      held(record({ key: "d", timestamp: 2 })),
      held(record({ key: "e", value: "w" })),
      held(record({ key: "f" })),
    ];
    expect(differingKeys(here, there)).toEqual(["a", "c", "d", "e", "f"]);
    expect(differingKeys(there, here)).toEqual(["a", "c", "d", "e", "f"]);
    expect(differingKeys(here, here)).toEqual([]);
    expect(differingKeys([], here.slice(0, 1))).toEqual(["a"]);
  });
});

describe("judging a key", () => {
  it("counts a difference only when both sides have seen what the other holds", () => {
    const [older, newer] = [held(record({ timestamp: 1 })), held(record({ timestamp: 2 }))];
    expect(judgeKey(look(older, newer), upTo(1), upTo(2))).toBe("unsettled");
    expect(judgeKey(look(newer, older), upTo(2), upTo(1))).toBe("unsettled");
    expect(judgeKey(look(older, newer), upTo(2), upTo(2))).toBe("different");
    expect(judgeKey(look(older, older), upTo(1), upTo(1))).toBe("same");
  });

  it("sees another content under one version", () => {
    const [right, wrong] = [held(record({})), held(record({ value: "w" }))];
    expect(judgeKey(look(right, wrong), upTo(1), upTo(1))).toBe("different");
  });

  it("takes absence, a tombstone and an expired put for the same, and knows when one is missing", () => {
    const none = held();
    expect(judgeKey(look(none, held(tombstone(3))), upTo(0), upTo(0))).toBe("same");
    expect(judgeKey(look(held(record({ expiresAtMs: NOW })), none), upTo(0), upTo(0))).toBe("same");
    expect(judgeKey(look(held(record({})), none), upTo(1), upTo(0))).toBe("unsettled");
    expect(judgeKey(look(held(record({})), none), upTo(1), upTo(1))).toBe("different");
    expect(judgeKey(look(none, held(record({}))), upTo(1), upTo(1))).toBe("different");
    expect(judgeKey(look(none, held(record({}))), upTo(0), upTo(1))).toBe("unsettled");
  });

  it("does not judge while the entry here changes: a tombstone may have come and gone", () => {
    const old = held(record({}));
    expect(judgeKey(look(held(), old, old), upTo(9), upTo(9))).toBe("unsettled");
  });

  it("lets a key go that both sides have written anew", () => {
    const at = (timestamp: number): HeldEntry => held(record({ timestamp }));
    const first = look(at(1), at(2));
    expect(isReplaced(first, look(at(3), at(4)))).toBe(true);
    expect(isReplaced(first, look(at(1), at(4)))).toBe(false);
    expect(isReplaced(first, look(at(3), at(2)))).toBe(false);
  });
});
