import fc from "fast-check";
import { expect, it } from "vitest";
import { BytePool } from "./byte-pool.ts";

it("gives every piece to one owner, zeroed and as long as was asked", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 120 }), { maxLength: 60 }), (sizes) => {
      const pool = new BytePool(500);
      const pieces = sizes.map((size) => pool.allocate(size));
      expect(pieces.map((piece) => piece.length)).toEqual(sizes);
      pieces.forEach((piece, index) => {
        expect(piece.every((byte) => byte === 0)).toBe(true);
        piece.fill(index + 1);
      });
      pieces.forEach((piece, index) => expect(piece.every((byte) => byte === index + 1)).toBe(true));
    }),
  );
});

it("keeps large pieces apart, so that they keep nothing else alive", () => {
  const pool = new BytePool(500);
  expect(pool.allocate(51).buffer.byteLength).toBe(51);
  expect(pool.allocate(50).buffer.byteLength).toBe(500);
});
