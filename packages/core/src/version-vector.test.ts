import {
  damagedBytes,
  isAccepted,
  positions,
  replicaId,
  replicaIds,
  startId,
  versionVectors,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import { type Position, positionAt, writePosition, ZERO_POSITION } from "./position.ts";
import { readVector, VersionVector, writeVector } from "./version-vector.ts";

function encode(vector: VersionVector): Uint8Array {
  const writer = new ByteWriter();
  writeVector(writer, vector);
  return writer.finish();
}

function decode(bytes: Uint8Array): VersionVector {
  const reader = new ByteReader(bytes);
  const vector = readVector(reader);
  reader.end();
  return vector;
}

function merged(...vectors: readonly VersionVector[]): VersionVector {
  const result = new VersionVector();
  for (const vector of vectors) result.merge(vector);
  return result;
}

describe("a version vector", () => {
  it("covers, per origin, all up to its timestamp", () => {
    fc.assert(
      fc.property(versionVectors(), replicaIds(), fc.nat(), (vector, origin, timestamp) => {
        expect(vector.get(origin)).toBe(vector.position(origin).timestamp);
        expect(vector.covers(origin, timestamp)).toBe(timestamp <= vector.get(origin));
        const known = [...vector.entries()].find(([id]) => id === origin);
        expect(vector.position(origin)).toEqual(known?.[1] ?? ZERO_POSITION);
        expect([...vector.origins()]).toEqual([...vector.entries()].map(([id]) => id));
      }),
    );
  });

  it("moves forward only, and says whether it moved", () => {
    fc.assert(
      fc.property(versionVectors(), replicaIds(), positions(), (vector, origin, position) => {
        const before = vector.clone();
        const moved = vector.advance(origin, position);
        expect(moved).toBe(position.timestamp > before.get(origin));
        expect(vector.position(origin)).toEqual(moved ? position : before.position(origin));
        expect(vector.includes(before)).toBe(true);
        expect(vector.equals(before)).toBe(!moved);
        expect(vector.advance(origin, position)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("merges commutatively, associatively and idempotently, to the least that includes both", () => {
    fc.assert(
      fc.property(versionVectors(), versionVectors(), versionVectors(), (a, b, c) => {
        expect(merged(a, b).equals(merged(b, a))).toBe(true);
        expect(merged(merged(a, b), c).equals(merged(a, merged(b, c)))).toBe(true);
        expect(merged(a, a).equals(a)).toBe(true);
        expect(merged(a, b).includes(a) && merged(a, b).includes(b)).toBe(true);
        expect(c.includes(a) && c.includes(b)).toBe(c.includes(merged(a, b)));
      }),
      { numRuns: 300 },
    );
  });

  it("is equal to another when each includes the other, origins at zero aside", () => {
    fc.assert(
      fc.property(versionVectors(), versionVectors(), replicaIds(), (a, b, origin) => {
        expect(a.equals(b)).toBe(a.includes(b) && b.includes(a));
        fc.pre(a.get(origin) === 0);
        expect(a.equals(new VersionVector([...a.entries(), [origin, ZERO_POSITION]]))).toBe(true);
        expect(a.equals(new VersionVector([...a.entries(), [origin, positionAt(1)]]))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps the branch that it knows until it moves", () => {
    const vector = new VersionVector();
    vector.advance(replicaId(1), { timestamp: 5, start: startId(1), recovered: 2 });
    vector.advance(replicaId(1), { timestamp: 5, start: startId(2), recovered: 4 });
    expect(vector.position(replicaId(1)).start).toBe(startId(1));
  });

  it("does not share its state with a clone", () => {
    const vector = new VersionVector([[replicaId(1), positionAt(3)]]);
    vector.clone().advance(replicaId(1), positionAt(9));
    expect(vector.get(replicaId(1))).toBe(3);
  });
});

describe("the bytes of a version vector", () => {
  it("round-trip, the same for every order of learning", () => {
    fc.assert(
      fc.property(versionVectors(), (vector) => {
        const bytes = encode(vector);
        const reversed = new VersionVector([...vector.entries()].toReversed());
        expect(encode(reversed)).toEqual(bytes);
        expect(new Map(decode(bytes).entries())).toEqual(new Map(vector.entries()));
      }),
    );
  });

  it("have one form only, and fail only as misshapen", () => {
    fc.assert(
      fc.property(damagedBytes(versionVectors().map(encode)), (bytes) => {
        const taken: VersionVector[] = [];
        isAccepted(() => taken.push(decode(bytes)));
        for (const vector of taken) expect(encode(vector)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("are refused with an origin twice, and out of order", () => {
    const [low, high] = [replicaId(1), replicaId(2)];
    for (const origins of [
      [low, low],
      [high, low],
    ]) {
      const writer = new ByteWriter().varint(origins.length);
      for (const origin of origins) writer.id(origin).u64(1).id(startId(1)).u64(0);
      expect(() => decode(writer.finish())).toThrow(FormatError);
    }
  });

  it("knows what contexts name beyond what is covered, until that is covered", () => {
    const [origin, other] = [replicaId(1), replicaId(2)];
    const at = (timestamp: number): Position => ({ timestamp, start: startId(1), recovered: 1 });
    const vector = new VersionVector([[origin, at(5)]]);
    vector.name(origin, at(4));
    vector.name(origin, positionAt(9));
    expect([...vector.named()]).toEqual([]);
    vector.name(origin, at(9));
    vector.name(origin, at(8));
    vector.name(other, at(7));
    expect(vector.meant(origin)).toEqual(at(9));
    expect([vector.get(origin), vector.get(other), vector.size]).toEqual([5, 0, 1]);
    expect(vector.position(origin)).toEqual(at(5));
    const all = [
      [origin, at(9)],
      [other, at(7)],
    ];
    expect([...vector.branches()]).toEqual(all);
    for (const copy of [vector.clone(), decode(encode(vector))]) {
      expect([...copy.branches()]).toEqual(all);
      expect([...copy.entries()]).toEqual([[origin, at(5)]]);
    }
    expect([...vector.covered().branches()]).toEqual([[origin, at(5)]]);
    vector.advance(origin, at(8));
    expect(vector.meant(origin)).toEqual(at(9));
    vector.advance(origin, at(9));
    vector.advance(other, at(10));
    expect([...vector.named()]).toEqual([]);
  });

  it("is refused when an origin comes again without more, or a third time", () => {
    const bytes = (...timestamps: readonly number[]): Uint8Array => {
      const writer = new ByteWriter().varint(timestamps.length);
      for (const timestamp of timestamps)
        writePosition(writer.id(replicaId(1)), { timestamp, start: startId(1), recovered: 1 });
      return writer.finish();
    };
    expect(decode(bytes(5, 6)).meant(replicaId(1)).timestamp).toBe(6);
    for (const damaged of [bytes(5, 5), bytes(5, 4), bytes(5, 6, 7), bytes(0, 6, 7)])
      expect(() => decode(damaged)).toThrow(FormatError);
  });
});
