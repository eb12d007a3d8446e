import { replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { ByteWriter, FormatError } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import type { KeyText } from "./ids.ts";
import {
  compareRecords,
  decodeRecord,
  isExpired,
  isSameWrite,
  makeRecord,
  originalTimestamp,
  rankOf,
  RECORD_OVERHEAD_BYTES,
  type RecordFields,
} from "./record.ts";
import { TIMESTAMP_MAX } from "./timestamp.ts";

const PLAIN: RecordFields = {
  timestamp: 7,
  origin: replicaId(0xab),
  key: "key" as KeyText,
  isDelete: false,
  value: Uint8Array.of(1, 2, 3),
  expiresAtMs: 0,
  context: [],
  moreFollows: false,
  adopted: undefined,
};
const ADOPTION = { timestamp: 5, origin: replicaId(2), checksum: 0x01020304, rank: 6, raised: true };

/** A record of these bytes whose checksum fits, whatever they mean. */
function sealed(bytes: Iterable<number>): Uint8Array {
  const body = Uint8Array.from(bytes);
  return new ByteWriter().u32(crc32c(body)).raw(body).finish();
}

describe("the bytes of a record", () => {
  it("are those of the grammar", () => {
    const { bytes, checksum } = makeRecord({
      ...PLAIN,
      expiresAtMs: 9,
      context: [{ origin: replicaId(1), timestamp: 3 }],
      moreFollows: true,
      adopted: ADOPTION,
    });
    const expected = new ByteWriter()
      .u32(checksum)
      .u8(1)
      .u8(2 | 4 | 8 | 16 | 32)
      .u64(7)
      .id("00000000000000ab")
      .u64(5)
      .id("0000000000000002")
      .raw(Uint8Array.of(1, 2, 3, 4))
      .u64(6)
      .u64(9)
      .varint(1)
      .id("0000000000000001")
      .u64(3)
      .raw(Uint8Array.of(3, 0x6b, 0x65, 0x79, 1, 2, 3));
    expect(bytes).toEqual(expected.finish());
    expect(checksum).toBe(crc32c(bytes, 4));
  });

  it("take no more than the overhead beyond key, value and context", () => {
    const { bytes } = makeRecord({
      ...PLAIN,
      timestamp: TIMESTAMP_MAX,
      key: "k".repeat(1024) as KeyText,
      expiresAtMs: TIMESTAMP_MAX,
      adopted: ADOPTION,
    });
    expect(bytes.length - 1024 - 3).toBeLessThanOrEqual(RECORD_OVERHEAD_BYTES);
  });

  const valid = [...makeRecord(PLAIN).bytes.subarray(4)];
  const head = valid.slice(2, 18);
  it.each([
    ["an unknown format", [2, ...valid.slice(1)]],
    ["an unknown flag", [1, 64, ...valid.slice(2)]],
    ["raised and not adopted", [1, 8, ...valid.slice(2)]],
    ["a delete with a value", [1, 1, ...valid.slice(2)]],
    ["a delete with a deadline", [1, 1 | 16, ...head, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x6b]],
    ["a deadline of zero", [1, 16, ...head, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x6b]],
    ["an empty context", [1, 32, ...head, 0, 1, 0x6b]],
    ["a timestamp beyond 53 bits", [1, 0, 0xff, ...valid.slice(3)]],
    ["a key that ends too early", [1, 0, ...head, 5, 0x6b]],
    ["a key length that is not canonical", [1, 0, ...head, 0x81, 0, 0x6b]],
    ["nothing", []],
  ])("are refused with %s", (_name, body) => {
    expect(() => decodeRecord(sealed(body))).toThrow(FormatError);
  });

  it("are taken when only the checksum was to be mended", () => {
    expect(decodeRecord(sealed(valid))).toEqual(makeRecord(PLAIN));
  });

  it("are never made of what cannot be read back", () => {
    const remove = { ...PLAIN, isDelete: true };
    const twice = { origin: replicaId(1), timestamp: 1 };
    const context = [twice, twice];
    expect(() => makeRecord(remove)).toThrow("a delete has no value");
    expect(() => makeRecord({ ...remove, value: new Uint8Array(0), expiresAtMs: 1 })).toThrow(
      "a delete has no value",
    );
    expect(() => makeRecord({ ...PLAIN, context })).toThrow("a context ascends");
    expect(() => makeRecord({ ...PLAIN, timestamp: -1 })).toThrow("not an unsigned safe integer");
  });
});

describe("the order of records", () => {
  const adopted = (timestamp: number, rank: number, raised: boolean, version = 100): RecordFields => ({
    ...PLAIN,
    timestamp: version,
    adopted: { ...ADOPTION, timestamp, rank, raised },
  });

  it("goes by rank, then raised, then original timestamp, then version", () => {
    const ascending = [
      { ...PLAIN, timestamp: 9 },
      adopted(1, 10, false, 100),
      adopted(1, 10, false, 101),
      adopted(2, 10, false, 90),
      { ...PLAIN, timestamp: 10, origin: replicaId(1) },
      { ...PLAIN, timestamp: 10, origin: replicaId(2) },
      adopted(3, 10, true, 90),
      adopted(4, 10, true, 80),
      { ...PLAIN, timestamp: 11 },
    ];
    expect(ascending.toReversed().sort(compareRecords)).toEqual(ascending);
  });

  it("is by what a record competes with", () => {
    expect([rankOf(PLAIN), originalTimestamp(PLAIN)]).toEqual([7, 7]);
    expect([rankOf(adopted(5, 6, true)), originalTimestamp(adopted(5, 6, true))]).toEqual([6, 5]);
  });
});

describe("what a record says", () => {
  it("is the same write when it is itself, or was adopted from one original", () => {
    const original = makeRecord(PLAIN);
    const source = { timestamp: 7, origin: original.origin, checksum: original.checksum, raised: false };
    const one = makeRecord({ ...PLAIN, timestamp: 20, adopted: { ...source, rank: 7 } });
    const other = makeRecord({ ...PLAIN, timestamp: 30, adopted: { ...source, rank: 25, raised: true } });
    const clone = makeRecord({ ...PLAIN, value: Uint8Array.of(9) });
    for (const a of [original, one, other]) {
      for (const b of [original, one, other]) expect(isSameWrite(a, b)).toBe(true);
      expect(isSameWrite(a, clone)).toBe(false);
    }
  });

  it("is expired from its deadline on", () => {
    const record = { ...PLAIN, expiresAtMs: 1000 };
    expect([999, 1000, 1001].map((nowMs) => isExpired(record, nowMs))).toEqual([false, true, true]);
    expect(isExpired(PLAIN, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
