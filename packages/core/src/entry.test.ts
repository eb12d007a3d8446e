import {
  damagedBytes,
  entries,
  isAccepted,
  replicaId,
  withByteChanged,
  writeRecords,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter, FormatError } from "./bytes.ts";
import {
  conflictsOf,
  decodeEntry,
  decodeKeptEntry,
  encodeEntry,
  type Entry,
  entryBytes,
  putEntry,
  hasSameContent,
  isLive,
} from "./entry.ts";
import type { KeyText } from "./ids.ts";
import { makeRecord, type WriteRecord } from "./record.ts";

function put(timestamp: number, value: number, key = "k", expiresAtMs = 0): WriteRecord {
  return makeRecord({
    timestamp,
    origin: replicaId(1),
    key: key as KeyText,
    isDelete: false,
    value: Uint8Array.of(value),
    expiresAtMs,
    context: [],
    moreFollows: false,
    adopted: undefined,
  });
}

function remove(timestamp: number): WriteRecord {
  return makeRecord({ ...put(timestamp, 0), isDelete: true, value: new Uint8Array(0) });
}

function bytesOf(winner: WriteRecord, ...siblings: readonly WriteRecord[]): Uint8Array {
  return encodeEntry({ winner, siblings });
}

describe("the entry codec", () => {
  it("is as long as was said, and is read without a check as with one", () => {
    fc.assert(
      fc.property(entries(), (entry) => {
        const target = new Uint8Array(entryBytes(entry));
        putEntry(target, 0, entry);
        expect(target).toEqual(encodeEntry(entry));
        const padded = Uint8Array.of(1, 2, 3, ...target.map(() => 9), 4, 5);
        putEntry(padded, 3, entry);
        expect(padded).toEqual(Uint8Array.of(1, 2, 3, ...target, 4, 5));
        const kept = decodeKeptEntry(padded, 3, padded.length - 2, entry.winner.key);
        padded.fill(0);
        expect(kept).toEqual(decodeEntry(target));
      }),
    );
  });

  it("round-trips", () => {
    fc.assert(
      fc.property(entries(), (entry) => {
        const bytes = encodeEntry(entry);
        expect(decodeEntry(bytes)).toEqual(entry);
        expect(encodeEntry(decodeEntry(bytes))).toEqual(bytes);
      }),
    );
  });

  it("refuses every single changed byte", () => {
    fc.assert(
      fc.property(entries(), fc.integer({ min: 1, max: 255 }), (entry, mask) => {
        const bytes = encodeEntry(entry);
        for (let index = 0; index < bytes.length; index += 1) {
          expect(isAccepted(() => decodeEntry(withByteChanged(bytes, index, mask)))).toBe(false);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("refuses every truncation and every extension", () => {
    fc.assert(
      fc.property(entries(), fc.uint8Array({ minLength: 1, maxLength: 9 }), (entry, more) => {
        const bytes = encodeEntry(entry);
        for (let length = 0; length < bytes.length; length += 1) {
          expect(isAccepted(() => decodeEntry(bytes.subarray(0, length)))).toBe(false);
        }
        expect(isAccepted(() => decodeEntry(Uint8Array.from([...bytes, ...more])))).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("fails only as misshapen, and has one form for what it takes", () => {
    const framed = fc
      .tuple(fc.array(writeRecords(), { minLength: 1, maxLength: 3 }), fc.nat({ max: 3 }))
      .map(([records, count]) => {
        const writer = new ByteWriter().u8(1).varint(count);
        for (const { bytes } of records) writer.blob(bytes);
        return writer.finish();
      });
    fc.assert(
      fc.property(
        fc.oneof(damagedBytes(entries().map(encodeEntry)), damagedBytes(framed), framed),
        (bytes) => {
          const taken: Entry[] = [];
          isAccepted(() => taken.push(decodeEntry(bytes)));
          for (const entry of taken) expect(encodeEntry(entry)).toEqual(bytes);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a sibling above the winner", bytesOf(put(1, 1), put(2, 2))],
    ["a sibling of another key", bytesOf(put(2, 2), put(1, 1, "other"))],
    ["siblings that ascend", bytesOf(put(3, 3), put(1, 1), put(2, 2))],
    ["a sibling twice", bytesOf(put(3, 3), put(1, 1), put(1, 1))],
    ["the winner as a sibling", bytesOf(put(3, 3), put(3, 3))],
    ["an unknown format", withByteChanged(bytesOf(put(1, 1)), 0, 3)],
    ["more siblings than bytes", Uint8Array.of(1, 0xff, 0xff, 0xff, 0x7f)],
    ["no winner", new ByteWriter().u8(1).varint(1).blob(put(1, 1).bytes).finish()],
    ["nothing", new Uint8Array(0)],
  ])("refuses %s", (_name, bytes) => {
    expect(() => decodeEntry(bytes)).toThrow(FormatError);
  });
});

describe("what an entry shows", () => {
  it("is live until it is deleted or its deadline comes", () => {
    const expiring = put(1, 1, "k", 500);
    expect(isLive(undefined, 0)).toBe(false);
    expect(isLive({ winner: remove(2), siblings: [put(1, 1)] }, 0)).toBe(false);
    expect(isLive({ winner: put(1, 1), siblings: [] }, Number.MAX_SAFE_INTEGER)).toBe(true);
    expect([499, 500].map((nowMs) => isLive({ winner: expiring, siblings: [] }, nowMs))).toEqual([
      true,
      false,
    ]);
  });

  it("lists as conflicts the losing puts that show something else than the winner", () => {
    const [same, other, expiring] = [put(4, 9), put(3, 8), put(2, 9, "k", Number.MAX_SAFE_INTEGER)];
    const siblings = [remove(5), same, other, expiring];
    expect(conflictsOf({ winner: put(9, 9), siblings })).toEqual([other, expiring]);
    expect(conflictsOf({ winner: remove(9), siblings })).toEqual([same, other, expiring]);
  });

  it("has the same content when value, deadline and deletion agree", () => {
    fc.assert(
      fc.property(writeRecords(), writeRecords(), (a, b) => {
        const isSame =
          a.isDelete === b.isDelete && a.expiresAtMs === b.expiresAtMs && a.value.join() === b.value.join();
        expect(hasSameContent(a, b)).toBe(isSame);
        expect(hasSameContent(b, a)).toBe(isSame);
        expect(hasSameContent(a, makeRecord({ ...a, timestamp: 1, context: [] }))).toBe(true);
      }),
    );
  });
});
