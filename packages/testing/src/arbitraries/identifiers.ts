/** Ids, keys, timestamps and versions. Drawn from small pools as often as not, so that values meet again. */
import {
  idFromWords,
  type KeyText,
  type ReplicaId,
  type StartId,
  type Timestamp,
  TIMESTAMP_MAX,
  UNKNOWN_START,
  type Version,
} from "@meshkv/core";
import fc from "fast-check";

const WORD_MAX = 0xffff_ffff;

/** The replica id with a small number: "000000000000000a" for 10. */
export function replicaId(number: number): ReplicaId {
  return idFromWords(0, number) as ReplicaId;
}

/** The start id with a small number, in another range than replica ids; never UNKNOWN_START. */
export function startId(number: number): StartId {
  return idFromWords(0x5000_0000, number) as StartId;
}

/** Any 64-bit id as text. */
export function ids(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat({ max: WORD_MAX }), fc.nat({ max: WORD_MAX }))
    .map(([high, low]) => idFromWords(high, low));
}

/** Replica ids, half of them out of eight. */
export function replicaIds(): fc.Arbitrary<ReplicaId> {
  return fc.oneof(
    fc.integer({ min: 1, max: 8 }).map(replicaId),
    ids().map((id) => id as ReplicaId),
  );
}

/** Start ids, the unknown one among them. */
export function startIds(): fc.Arbitrary<StartId> {
  return fc.oneof(fc.constant(UNKNOWN_START), fc.integer({ min: 1, max: 4 }).map(startId));
}

/** Keys of 0 to `maxLength` bytes, every byte possible. */
export function keyTexts(maxLength = 24): fc.Arbitrary<KeyText> {
  return fc.uint8Array({ maxLength }).map((bytes) => String.fromCharCode(...bytes) as KeyText);
}

/** Timestamps over the whole range; half of them small, so that they collide. */
export function timestamps(): fc.Arbitrary<Timestamp> {
  return fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: TIMESTAMP_MAX }));
}

/** Versions; equal timestamps and equal origins are frequent. */
export function versions(): fc.Arbitrary<Version> {
  return fc.record({ timestamp: timestamps(), origin: replicaIds() });
}
