/** Records and entries of any legal form: for codecs and orders, not for what could have happened (see histories). */
import {
  type Adoption,
  compareRecords,
  type Context,
  type Entry,
  type KeyText,
  makeRecord,
  type RecordFields,
  type WriteRecord,
} from "@meshkv/core";
import fc from "fast-check";
import { keyTexts, replicaIds, timestamps, versions } from "./identifiers.ts";

const CHECKSUM_MAX = 0xffff_ffff;

/** Contexts of 0 to 6 origins, ascending. */
export function contexts(): fc.Arbitrary<Context> {
  return fc
    .uniqueArray(versions(), { maxLength: 6, selector: ({ origin }) => origin })
    .map((all) => all.sort((a, b) => (a.origin < b.origin ? -1 : 1)));
}

/** Where an adopted record may come from; a raised one ranks at least as its original. */
export function adoptions(): fc.Arbitrary<Adoption> {
  const unraised = fc.record({
    timestamp: timestamps(),
    origin: replicaIds(),
    checksum: fc.nat({ max: CHECKSUM_MAX }),
    rank: timestamps(),
    raised: fc.boolean(),
  });
  return unraised.map((adoption) =>
    adoption.raised ? { ...adoption, rank: Math.max(adoption.rank, adoption.timestamp) } : adoption,
  );
}

/** What a writer may decide about a record. */
export function recordFields(keys: fc.Arbitrary<KeyText> = keyTexts()): fc.Arbitrary<RecordFields> {
  const fields = fc.record({
    timestamp: timestamps(),
    origin: replicaIds(),
    key: keys,
    isDelete: fc.boolean(),
    value: fc.uint8Array({ maxLength: 40 }),
    expiresAtMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
    context: contexts(),
    moreFollows: fc.boolean(),
    adopted: fc.option(adoptions(), { nil: undefined }),
  });
  return fields.map((all) => (all.isDelete ? { ...all, value: new Uint8Array(0), expiresAtMs: 0 } : all));
}

/** Encoded records. */
export function writeRecords(keys?: fc.Arbitrary<KeyText>): fc.Arbitrary<WriteRecord> {
  return recordFields(keys).map(makeRecord);
}

/** Entries of 1 to 5 records of one key, in order. */
export function entries(): fc.Arbitrary<Entry> {
  return keyTexts()
    .chain((key) =>
      fc.uniqueArray(writeRecords(fc.constant(key)), {
        minLength: 1,
        maxLength: 5,
        comparator: (a, b) => compareRecords(a, b) === 0,
      }),
    )
    .map((records) => {
      const [winner, ...siblings] = records.sort((a, b) => compareRecords(b, a));
      return { winner: winner as WriteRecord, siblings };
    });
}
