import { FormatError } from "@meshkv/core";
import { damagedBytes, isAccepted } from "@meshkv/testing/pure";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expandSnappy } from "./snappy.ts";

function expand(...bytes: number[]): string {
  return new TextDecoder().decode(expandSnappy(Uint8Array.from(bytes)));
}

const A = 0x61;

test("expands literals with short and long lengths", () => {
  expect(expand(3, 2 << 2, A, A + 1, A + 2)).toBe("abc");
  const text = Array.from({ length: 300 }, () => A);
  expect(expand(0xac, 0x02, 61 << 2, 0x2b, 0x01, ...text)).toBe("a".repeat(300));
});

test("expands copies of all three kinds, overlapping ones too", () => {
  const literal = [3 << 2, A, A + 1, A + 2, A + 3];
  // One byte of offset: length 4 to 11, offset in 11 bits.
  expect(expand(10, ...literal, ((6 - 4) << 2) | 1, 2)).toBe("abcdcdcdcd");
  // Two bytes of offset, four bytes of offset: length 1 to 64.
  expect(expand(9, ...literal, (4 << 2) | 2, 4, 0)).toBe("abcdabcda");
  expect(expand(6, ...literal, (1 << 2) | 3, 3, 0, 0, 0)).toBe("abcdbc");
});

test("refuses what reaches outside", () => {
  for (const bytes of [
    [4, 0, A],
    [1, 3 << 2, A],
    [5, 0, A, (3 << 2) | 1, 2],
    [5, 0, A, 1, 0],
    [3, 0, A],
    [200],
  ]) {
    expect(() => expandSnappy(Uint8Array.from(bytes))).toThrow(FormatError);
  }
});

test("any bytes are expanded or refused, and no others are thrown", () => {
  const valid = fc.constant(Uint8Array.of(10, 3 << 2, A, A + 1, A + 2, A + 3, 9, 2));
  fc.assert(
    fc.property(damagedBytes(valid), (bytes) => {
      expect([true, false]).toContain(isAccepted(() => expandSnappy(bytes)));
    }),
  );
});
