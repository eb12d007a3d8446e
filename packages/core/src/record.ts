/**
 * One write, immutable, encoded once where it was written and stored and relayed as those bytes.
 *
 * ```
 * record    = u32 checksum   CRC-32C of all that follows
 *             u8  format     1
 *             u8  flags      1 delete, 2 more follows, 4 adopted, 8 raised, 16 expires, 32 context
 *             u64 timestamp, id origin
 *             [ adopted: u64 timestamp, id origin, u32 checksum, u64 rank ]
 *             [ expires: u64 unix milliseconds ]
 *             [ context ]
 *             key (varint length, bytes), value (the rest)
 * ```
 */
import { BytePool } from "./byte-pool.ts";
import { ByteReader, ByteWriter, FormatError, varintBytes } from "./bytes.ts";
import { type Context, EMPTY_CONTEXT, readContext, writeContext } from "./context.ts";
import { crc32c } from "./crc32c.ts";
import type { KeyText, ReplicaId } from "./ids.ts";
import { invariant } from "./invariant.ts";
import type { Timestamp } from "./timestamp.ts";

const FORMAT = 1;
const DELETE = 1;
const MORE_FOLLOWS = 2;
const ADOPTED = 4;
const RAISED = 8;
const EXPIRES = 16;
const HAS_CONTEXT = 32;
const ALL_FLAGS = 63;

/** Checksum, format, flags and version. */
const HEAD_BYTES = 22;
const ADOPTION_BYTES = 28;
const EXPIRY_BYTES = 8;
const CONTEXT_ITEM_BYTES = 16;

/** Where an adopted record came from, and by what timestamp it competes (rule M2). */
export interface Adoption {
  /** The original version. */
  readonly timestamp: Timestamp;
  /** Who wrote it first. */
  readonly origin: ReplicaId;
  /**
   * Checksum of the original record: two records of one version, written by two copies of a directory, are told apart. A
   * delete that only settles a write has the complement of that write's checksum (docs/decisions/0019-settled-across-meshes.md).
   */
  readonly checksum: number;
  /** The timestamp by which it competes; at most the adoption's own. */
  readonly rank: Timestamp;
  /** The rank was raised to the adopter's horizon, since a forgotten tombstone may have beaten the original. */
  readonly raised: boolean;
}

/** What a writer decides about a record; the rest is derived. */
export interface RecordFields {
  /** With `origin` the version: names this record for ever. */
  readonly timestamp: Timestamp;
  /** The replica that wrote, or adopted, the record. */
  readonly origin: ReplicaId;
  /** At least one byte, and at most KEY_BYTES_MAX, as clients' doors see to. */
  readonly key: KeyText;
  /** A tombstone. */
  readonly isDelete: boolean;
  /** Empty for deletes. */
  readonly value: Uint8Array;
  /** Unix milliseconds; 0 means never. */
  readonly expiresAtMs: number;
  /** What the writer had seen of the key. */
  readonly context: Context;
  /** The record is part of a batch and not its last. */
  readonly moreFollows: boolean;
  /** Set when the record was adopted from another replica or mesh. */
  readonly adopted: Adoption | undefined;
}

/** A write with its encoded form. */
export interface WriteRecord extends RecordFields {
  /** CRC-32C of all bytes after itself; an unsigned 32-bit integer. */
  readonly checksum: number;
  /** The encoded form, stored and relayed as it is. Never change it. */
  readonly bytes: Uint8Array;
}

/** Where a record's version begins in its bytes, … */
export const VERSION_START = 6;
/** … and where it ends. */
export const VERSION_END = 22;

/** Bytes that a record takes beyond its key and value, at most, without its context. */
export const RECORD_OVERHEAD_BYTES = HEAD_BYTES + ADOPTION_BYTES + EXPIRY_BYTES + 4;

const NO_BYTES = new Uint8Array(0);

/** Records that are made one after another are forgotten about one after another. */
const RECORDS = new BytePool(32 * 1024);

/** Encodes a record. What {@link decodeRecord} would refuse is not made: it would be taken for damage later. */
export function makeRecord(fields: RecordFields): WriteRecord {
  invariant(
    !fields.isDelete || (fields.value.length === 0 && fields.expiresAtMs === 0),
    "a delete has no value",
  );
  invariant(fields.expiresAtMs >= 0, "a deadline is not negative");
  invariant(isAscending(fields.context), "a context ascends");
  const { adopted, context } = fields;
  const size =
    HEAD_BYTES +
    (adopted === undefined ? 0 : ADOPTION_BYTES) +
    (fields.expiresAtMs > 0 ? EXPIRY_BYTES : 0) +
    (context.length > 0 ? varintBytes(context.length) + context.length * CONTEXT_ITEM_BYTES : 0) +
    varintBytes(fields.key.length) +
    fields.key.length +
    fields.value.length;
  const bytes = RECORDS.allocate(size);
  const writer = new ByteWriter(bytes);
  const flags =
    (fields.isDelete ? DELETE : 0) |
    (fields.moreFollows ? MORE_FOLLOWS : 0) |
    (adopted === undefined ? 0 : ADOPTED) |
    (adopted?.raised === true ? RAISED : 0) |
    (fields.expiresAtMs > 0 ? EXPIRES : 0) |
    (context.length > 0 ? HAS_CONTEXT : 0);
  writer.u32(0).u8(FORMAT).u8(flags).u64(fields.timestamp).id(fields.origin);
  if (adopted !== undefined) {
    writer.u64(adopted.timestamp).id(adopted.origin).u32(adopted.checksum).u64(adopted.rank);
  }
  if (fields.expiresAtMs > 0) writer.u64(fields.expiresAtMs);
  if (context.length > 0) writeContext(writer, context);
  writer.key(fields.key).raw(fields.value);
  invariant(writer.length === size, "a record has the size that was reckoned");
  const checksum = crc32c(bytes, 4);
  writer.patchU32(0, checksum);
  return {
    timestamp: fields.timestamp,
    origin: fields.origin,
    key: fields.key,
    isDelete: fields.isDelete,
    value: fields.value.length === 0 ? NO_BYTES : bytes.subarray(size - fields.value.length),
    expiresAtMs: fields.expiresAtMs,
    context,
    moreFollows: fields.moreFollows,
    adopted,
    checksum,
    bytes,
  };
}

function isAscending(context: Context): boolean {
  let last = "";
  for (const { origin } of context) {
    if (origin <= last) return false;
    last = origin;
  }
  return true;
}

/**
 * Decodes a record and checks its checksum; throws {@link FormatError} when anything is amiss. Keeps a view of `bytes`.
 * @param key whose record it has to be; undefined: anybody's
 */
export function decodeRecord(bytes: Uint8Array, key?: KeyText): WriteRecord {
  const reader = new ByteReader(bytes);
  const checksum = reader.u32();
  if (crc32c(bytes, 4) !== checksum) throw new FormatError("record checksum does not match");
  return readRecord(bytes, reader, checksum, key);
}

/** Decodes a record that this process has checked before, and of which it knows the key. */
export function decodeKeptRecord(bytes: Uint8Array, key: KeyText): WriteRecord {
  const reader = new ByteReader(bytes);
  return readRecord(bytes, reader, reader.u32(), key);
}

/** @param knownKey the key, where it is known: another one is refused; else it is read */
function readRecord(
  bytes: Uint8Array,
  reader: ByteReader,
  checksum: number,
  knownKey: KeyText | undefined,
): WriteRecord {
  const format = reader.u8();
  if (format !== FORMAT) throw new FormatError(`record format ${format} is not known`);
  const flags = reader.u8();
  if (flags > ALL_FLAGS || (flags & (ADOPTED | RAISED)) === RAISED)
    throw new FormatError("record flags not known");
  const timestamp = reader.u64();
  const origin = reader.id() as ReplicaId;
  const adopted =
    (flags & ADOPTED) === 0
      ? undefined
      : {
          timestamp: reader.u64(),
          origin: reader.id() as ReplicaId,
          checksum: reader.u32(),
          rank: reader.u64(),
          raised: (flags & RAISED) !== 0,
        };
  const expiresAtMs = (flags & EXPIRES) === 0 ? 0 : reader.u64();
  const context = (flags & HAS_CONTEXT) === 0 ? EMPTY_CONTEXT : readContext(reader);
  const key = knownKey ?? reader.key();
  if (knownKey !== undefined && !reader.isKey(knownKey)) throw new FormatError("lies under another key");
  const value = reader.raw(reader.remaining);
  const isDelete = (flags & DELETE) !== 0;
  if (isDelete && (value.length > 0 || expiresAtMs > 0)) throw new FormatError("delete with a value");
  if ((flags & EXPIRES) !== 0 && expiresAtMs === 0) throw new FormatError("expiry of zero");
  if ((flags & HAS_CONTEXT) !== 0 && context.length === 0) throw new FormatError("context of zero");
  const moreFollows = (flags & MORE_FOLLOWS) !== 0;
  return {
    timestamp,
    origin,
    key,
    isDelete,
    value,
    expiresAtMs,
    context,
    moreFollows,
    adopted,
    checksum,
    bytes,
  };
}

/** The timestamp by which the record competes. */
export function rankOf(record: RecordFields): Timestamp {
  return record.adopted === undefined ? record.timestamp : record.adopted.rank;
}

/** The timestamp of the write as it was first made. */
export function originalTimestamp(record: RecordFields): Timestamp {
  return record.adopted === undefined ? record.timestamp : record.adopted.timestamp;
}

/**
 * The order in which records of one key compete: rank, raised after not raised, original timestamp, version. The
 * greatest is the winner. Total over distinct versions.
 */
export function compareRecords(a: RecordFields, b: RecordFields): number {
  const byRank = rankOf(a) - rankOf(b);
  if (byRank !== 0) return byRank;
  const raisedA = a.adopted?.raised === true;
  if (raisedA !== (b.adopted?.raised === true)) return raisedA ? 1 : -1;
  const byOriginal = originalTimestamp(a) - originalTimestamp(b);
  if (byOriginal !== 0) return byOriginal;
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  return a.origin === b.origin ? 0 : a.origin < b.origin ? -1 : 1;
}

/** Whether two records are the same write: itself, or adopted from one original. */
export function isSameWrite(a: WriteRecord, b: WriteRecord): boolean {
  const left = a.adopted ?? a;
  const right = b.adopted ?? b;
  return (
    left.timestamp === right.timestamp && left.origin === right.origin && left.checksum === right.checksum
  );
}

/** Whether the record is a put whose deadline has passed at `nowMs`. */
export function isExpired(record: RecordFields, nowMs: number): boolean {
  return record.expiresAtMs > 0 && record.expiresAtMs <= nowMs;
}
