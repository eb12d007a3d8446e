import { damagedBytes, ids, isAccepted, keyTexts } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import { keyTextFromBytes } from "./ids.ts";
import { InvariantError } from "./invariant.ts";

/** One value of each kind: how it is written, and how it is read. */
interface Field {
  readonly value: unknown;
  readonly write: (writer: ByteWriter) => void;
  readonly read: (reader: ByteReader) => unknown;
}

const naturals = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 300 }),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits),
  fc.integer({ min: 1, max: 53 }).map((bits) => 2 ** bits - 1),
);
const fields: fc.Arbitrary<Field> = fc.oneof(
  fc.nat({ max: 255 }).map((value) => ({ value, write: (w) => w.u8(value), read: (r) => r.u8() }) as Field),
  fc
    .nat({ max: 0xffff_ffff })
    .map((value) => ({ value, write: (w) => w.u32(value), read: (r) => r.u32() }) as Field),
  naturals.map((value) => ({ value, write: (w) => w.u64(value), read: (r) => r.u64() }) as Field),
  naturals.map((value) => ({ value, write: (w) => w.varint(value), read: (r) => r.varint() }) as Field),
  ids().map((value) => ({ value, write: (w) => w.id(value), read: (r) => r.id() }) as Field),
  keyTexts(300).map((value) => ({ value, write: (w) => w.key(value), read: (r) => r.key() }) as Field),
  fc.uint8Array().map((value) => ({ value, write: (w) => w.blob(value), read: (r) => r.blob() }) as Field),
  fc
    .uint8Array()
    .map((value) => ({ value, write: (w) => w.raw(value), read: (r) => r.raw(value.length) }) as Field),
  fc
    .string({ unit: "binary" })
    .map((value) => ({ value, write: (w) => w.text(value), read: (r) => r.text() }) as Field),
);

describe("writing and reading bytes", () => {
  it("is written to the bytes that were given, which nobody gets afterwards", () => {
    // One is as long as the buffer that writers pass on.
    for (const size of [3, 8192]) {
      const target = new Uint8Array(size);
      const bytes = new ByteWriter(target)
        .u8(1)
        .raw(new Uint8Array(size - 1).fill(2))
        .finish();
      expect(bytes.buffer).toBe(target.buffer);
      expect(bytes.length).toBe(size);
      new ByteWriter().raw(new Uint8Array(size).fill(3)).finish();
      new ByteWriter().raw(new Uint8Array(size).fill(4)).finish();
      expect([target[0], target[1], target[size - 1]]).toEqual([1, 2, 2]);
    }
  });

  it("moves on when the bytes that were given do not suffice", () => {
    const target = new Uint8Array(8192);
    const writer = new ByteWriter(target).raw(new Uint8Array(8192).fill(5)).u8(6);
    new ByteWriter().raw(new Uint8Array(8192).fill(7)).finish();
    expect(target.every((byte) => byte === 5)).toBe(true);
    expect(writer.finish().subarray(8190)).toEqual(Uint8Array.of(5, 5, 6));
  });

  it("gives back every value, in order, from any capacity and place", () => {
    fc.assert(
      fc.property(fc.array(fields), fc.nat({ max: 20 }), fc.nat({ max: 5 }), (all, capacity, around) => {
        const writer = new ByteWriter(capacity);
        for (const { write } of all) write(writer);
        const bytes = writer.finish();
        expect(bytes.length).toBe(writer.length);
        const placed = new Uint8Array(bytes.length + 2 * around).fill(0xee);
        placed.set(bytes, around);
        const reader = new ByteReader(placed, around, around + bytes.length);
        for (const { read, value } of all) expect(read(reader)).toEqual(value);
        reader.end();
        expect(() => reader.u8()).toThrow(FormatError);
      }),
      { numRuns: 300 },
    );
  });

  it("refuses every cut of an encoding", () => {
    fc.assert(
      fc.property(fields, (field) => {
        const writer = new ByteWriter();
        field.write(writer);
        const whole = writer.finish();
        fc.pre(whole.length > 0);
        const reader = new ByteReader(whole, 0, whole.length - 1);
        expect(isAccepted(() => field.read(reader))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("encodes integers so that byte order is number order", () => {
    const encode = (value: number): string => keyTextFromBytes(new ByteWriter().u64(value).finish());
    fc.assert(
      fc.property(naturals, naturals, (a, b) => {
        expect(encode(a) < encode(b)).toBe(a < b);
      }),
      { numRuns: 300 },
    );
  });

  it("has one form only for every varint", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10 }), (bytes) => {
        const reader = new ByteReader(bytes);
        const values: number[] = [];
        fc.pre(isAccepted(() => values.push(reader.varint())));
        const again = new ByteWriter().varint(values[0] ?? 0).finish();
        expect(again).toEqual(bytes.subarray(0, bytes.length - reader.remaining));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a varint with a needless zero group", [0x80, 0x00], (r: ByteReader) => r.varint()],
    [
      "a varint beyond 53 bits",
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10],
      (r: ByteReader) => r.varint(),
    ],
    [
      "a varint of nine groups",
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
      (r: ByteReader) => r.varint(),
    ],
    ["an integer beyond 53 bits", [0, 0x20, 0, 0, 0, 0, 0, 0], (r: ByteReader) => r.u64()],
    ["a code unit beyond 16 bits", [1, 0x80, 0x80, 0x04], (r: ByteReader) => r.text()],
    ["a count that cannot be true", [3, 0, 0], (r: ByteReader) => r.count(1)],
    ["a text longer than its bytes", [4, 65, 65], (r: ByteReader) => r.text()],
    [
      "a blob longer than its bytes",
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
      (r: ByteReader) => r.blob(),
    ],
    ["bytes left over", [1], (r: ByteReader) => r.end()],
  ])("refuses %s", (_name, bytes, read) => {
    expect(() => read(new ByteReader(Uint8Array.from(bytes)))).toThrow(FormatError);
  });

  it("throws nothing but FormatError on damaged bytes", () => {
    const valid = fc.array(fields).map((all) => {
      const writer = new ByteWriter();
      for (const { write } of all) write(writer);
      return writer.finish();
    });
    fc.assert(
      fc.property(damagedBytes(valid), fc.array(fields), (bytes, all) => {
        const reader = new ByteReader(bytes);
        const before = bytes.slice();
        isAccepted(() => all.map(({ read }) => read(reader)));
        expect(bytes).toEqual(before);
        expect(reader.remaining).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });

  it("overwrites what was written, and nothing beyond", () => {
    const writer = new ByteWriter(4).u32(1).u32(2);
    writer.patchU32(0, 0xffff_fffe);
    expect([...writer.finish()]).toEqual([255, 255, 255, 254, 0, 0, 0, 2]);
    expect(() => writer.patchU32(5, 0)).toThrow(InvariantError);
  });

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])(
    "does not write %d as an integer",
    (value) => {
      expect(() => new ByteWriter().u64(value)).toThrow(InvariantError);
      expect(() => new ByteWriter().varint(value)).toThrow(InvariantError);
    },
  );
});
