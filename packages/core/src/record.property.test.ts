import { damagedBytes, isAccepted, recordFields, withByteChanged, writeRecords } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import {
  compareRecords,
  decodeKeptRecord,
  decodeRecord,
  isSameWrite,
  makeRecord,
  type RecordFields,
} from "./record.ts";

describe("the record codec", () => {
  it("round-trips every record, from any place in a buffer", () => {
    fc.assert(
      fc.property(recordFields(), fc.nat({ max: 9 }), (fields, before) => {
        const record = makeRecord(fields);
        const placed = new Uint8Array(record.bytes.length + before + 3).fill(0xee);
        placed.set(record.bytes, before);
        const decoded = decodeRecord(placed.subarray(before, before + record.bytes.length));
        expect(decoded).toEqual(record);
        expect(decodeKeptRecord(record.bytes, record.key)).toEqual(record);
        expect({ ...fields, checksum: record.checksum, bytes: record.bytes }).toEqual(record);
        expect(makeRecord(decoded).bytes).toEqual(record.bytes);
      }),
      { numRuns: 300 },
    );
  });

  it("leaves a record as it is, however many are made after it", () => {
    fc.assert(
      fc.property(fc.array(recordFields(), { minLength: 2, maxLength: 30 }), (all) => {
        const records = all.map(makeRecord);
        records.forEach((record, index) => {
          const { bytes, checksum } = record;
          expect({ ...all[index], bytes, checksum }).toEqual(decodeRecord(bytes));
        });
      }),
    );
  });

  it("does not keep the writer's value buffer", () => {
    fc.assert(
      fc.property(recordFields(), (fields) => {
        const record = makeRecord(fields);
        const before = record.value.slice();
        fields.value.fill(0xaa);
        expect(record.value).toEqual(before);
      }),
    );
  });

  it("refuses every single changed byte", () => {
    fc.assert(
      fc.property(writeRecords(), fc.integer({ min: 1, max: 255 }), ({ bytes }, mask) => {
        for (let index = 0; index < bytes.length; index += 1) {
          expect(isAccepted(() => decodeRecord(withByteChanged(bytes, index, mask)))).toBe(false);
        }
      }),
    );
  });

  it("refuses every single flipped bit", () => {
    fc.assert(
      fc.property(writeRecords(), ({ bytes }) => {
        for (let bit = 0; bit < bytes.length * 8; bit += 1) {
          const changed = withByteChanged(bytes, bit >>> 3, 1 << (bit & 7));
          expect(isAccepted(() => decodeRecord(changed))).toBe(false);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuses every truncation and every extension", () => {
    fc.assert(
      fc.property(writeRecords(), fc.uint8Array({ minLength: 1, maxLength: 9 }), ({ bytes }, more) => {
        for (let length = 0; length < bytes.length; length += 1) {
          expect(isAccepted(() => decodeRecord(bytes.subarray(0, length)))).toBe(false);
        }
        expect(isAccepted(() => decodeRecord(Uint8Array.from([...bytes, ...more])))).toBe(false);
      }),
    );
  });

  it("fails only as misshapen on any bytes, also when their checksum fits, and has one form for what it takes", () => {
    const bodies = damagedBytes(writeRecords().map(({ bytes }) => bytes.subarray(4)));
    const sealed = bodies.map((body) => new ByteWriter().u32(crc32c(body)).raw(body).finish());
    fc.assert(
      fc.property(fc.oneof(sealed, bodies), (bytes) => {
        const taken: Uint8Array[] = [];
        isAccepted(() => taken.push(makeRecord(decodeRecord(bytes)).bytes));
        for (const again of taken) expect(again).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the order of records", () => {
  it("is total: antisymmetric, transitive, and zero only for one version in one role", () => {
    fc.assert(
      fc.property(recordFields(), recordFields(), recordFields(), (a, b, c) => {
        expect(Math.sign(compareRecords(a, b)) + Math.sign(compareRecords(b, a))).toBe(0);
        const isOneVersion = a.timestamp === b.timestamp && a.origin === b.origin;
        expect(compareRecords(a, b) !== 0 || isOneVersion).toBe(true);
        expect(compareRecords(a, a)).toBe(0);
        const isNotAbove = (left: RecordFields, right: RecordFields): boolean =>
          compareRecords(left, right) <= 0;
        expect(isNotAbove(a, b) && isNotAbove(b, c) && !isNotAbove(a, c)).toBe(false);
        expect(isNotAbove(c, b) && isNotAbove(b, a) && !isNotAbove(c, a)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("calls records the same write by version and checksum of the original", () => {
    fc.assert(
      fc.property(writeRecords(), writeRecords(), (a, b) => {
        const [left, right] = [a.adopted ?? a, b.adopted ?? b];
        const isSame =
          left.timestamp === right.timestamp &&
          left.origin === right.origin &&
          left.checksum === right.checksum;
        expect(isSameWrite(a, b)).toBe(isSame);
        expect(isSameWrite(a, a)).toBe(true);
      }),
    );
  });
});
