import { type KeyText, keyTextFromBytes } from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { intersect, isEmptyRange, type KeyRange, prefixEnd, prefixRange, rangeAfter } from "./key-range.ts";

// Few different bytes, so that keys share prefixes and meet the edges.
const bytes = fc.array(fc.constantFrom(0x00, 0x61, 0xfe, 0xff), { maxLength: 4 });
const key = bytes.map((list) => keyTextFromBytes(Uint8Array.from(list)));
const bound = fc.option(key, { nil: undefined });

function contains({ start, end }: KeyRange, candidate: KeyText): boolean {
  return (start === undefined || candidate >= start) && (end === undefined || candidate < end);
}

describe("key ranges", () => {
  it("of a prefix hold the keys with that prefix and no others", () => {
    fc.assert(
      fc.property(key, key, (prefix, candidate) => {
        expect(contains(prefixRange(prefix), candidate)).toBe(candidate.startsWith(prefix));
      }),
    );
    expect(prefixEnd("\u00ff\u00ff" as KeyText)).toBeUndefined();
    expect(prefixEnd("a\u00ff" as KeyText)).toBe("b");
  });

  it("intersect", () => {
    fc.assert(
      fc.property(bound, bound, bound, bound, key, (start, end, from, to, candidate) => {
        const [a, b] = [
          { start, end },
          { start: from, end: to },
        ];
        expect(contains(intersect(a, b), candidate)).toBe(contains(a, candidate) && contains(b, candidate));
      }),
    );
  });

  it("are empty only when they hold nothing", () => {
    fc.assert(
      fc.property(bound, bound, key, (start, end, candidate) => {
        expect(isEmptyRange({ start, end }) && contains({ start, end }, candidate)).toBe(false);
      }),
    );
  });

  it("go on after the last key, in both directions", () => {
    fc.assert(
      fc.property(bound, bound, key, key, fc.boolean(), (start, end, last, candidate, reverse) => {
        const range = { start, end };
        const isAfter = reverse ? candidate < last : candidate > last;
        expect(contains(rangeAfter(range, last, reverse), candidate)).toBe(
          contains(range, candidate) && isAfter,
        );
      }),
    );
  });
});
