import { ids, keyTexts } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  idFromWords,
  keyTextFromBytes,
  keyTextToBytes,
  keyTextWithin,
  parseReplicaId,
  UNKNOWN_START,
} from "./ids.ts";

/** Byte order, the long way. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(a.length - b.length);
}

describe("replica ids", () => {
  it("are 16 lowercase hex digits and nothing else", () => {
    fc.assert(
      fc.property(ids(), (id) => {
        expect(parseReplicaId(id)).toBe(id);
      }),
    );
    const wrong = ["", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", " 123456789abcdef"];
    for (const text of [...wrong, "0123456789abcdeg", "0123456789abcdef\n", "\n0123456789abcdef"]) {
      expect(parseReplicaId(text)).toBeUndefined();
    }
  });

  it("are made of two words, whatever their signs", () => {
    expect(idFromWords(0, 0)).toBe(UNKNOWN_START);
    expect(idFromWords(1, 0x80000000)).toBe("0000000180000000");
    expect(idFromWords(-1, 0x89abcdef | 0)).toBe("ffffffff89abcdef");
  });
});

describe("key texts", () => {
  it("may be part of some bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat({ max: 40 }),
        fc.nat({ max: 40 }),
        (bytes, a, b) => {
          const [start, end] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
          expect(keyTextWithin(bytes, start, end)).toBe(keyTextFromBytes(bytes.slice(start, end)));
        },
      ),
    );
  });

  it("convert to bytes and back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const key = keyTextFromBytes(bytes);
        expect(key.length).toBe(bytes.length);
        expect(keyTextToBytes(key)).toEqual(bytes);
      }),
    );
  });

  it("sort as their bytes do", () => {
    fc.assert(
      fc.property(keyTexts(4), keyTexts(4), (a, b) => {
        const order = a === b ? 0 : a < b ? -1 : 1;
        expect(order).toBe(compareBytes(keyTextToBytes(a), keyTextToBytes(b)));
      }),
      { numRuns: 500 },
    );
  });
});
