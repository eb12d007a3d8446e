import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

/** The stupid twin: one bit at a time. */
function crc32cByBits(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}

describe("CRC-32C", () => {
  it("gives the known sums (RFC 3720, B.4)", () => {
    expect(crc32c(ascii(""))).toBe(0);
    expect(crc32c(ascii("123456789"))).toBe(0xe306_9283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
    expect(crc32c(ascending)).toBe(0x46dd_794e);
    expect(crc32c(ascending.toReversed())).toBe(0x113f_db5c);
  });

  it("agrees with its twin, at every length and offset", () => {
    const bytes = fc.uint8Array({ maxLength: 300, size: "max" });
    fc.assert(
      fc.property(bytes, fc.nat({ max: 20 }), fc.nat({ max: 20 }), (all, before, after) => {
        const end = Math.max(before, all.length - after);
        expect(crc32c(all, before, end)).toBe(crc32cByBits(all.subarray(before, end)));
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with its twin on long inputs, which are summed up in words", () => {
    const bytes = fc.uint8Array({ minLength: 1000, maxLength: 1100, size: "max" });
    fc.assert(
      fc.property(bytes, fc.nat({ max: 20 }), (all, before) => {
        expect(crc32c(all, before)).toBe(crc32cByBits(all.subarray(before)));
      }),
      { numRuns: 100 },
    );
  });

  it("continues where an earlier sum ended", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 60 }), (all, cut) => {
        const at = Math.min(cut, all.length);
        expect(crc32c(all, at, all.length, crc32c(all, 0, at))).toBe(crc32c(all));
      }),
    );
  });
});
