/**
 * The state of one key: its winning record, and the other records that nobody who wrote later had seen.
 *
 * ```
 * entry = u8 format (1), varint count, count * (blob record), record
 * ```
 */
import { BytePool } from "./byte-pool.ts";
import { ByteReader, ByteWriter, FormatError, varintBytes } from "./bytes.ts";
import type { KeyText } from "./ids.ts";
import {
  compareRecords,
  decodeKeptRecord,
  decodeRecord,
  isExpired,
  originalTimestamp,
  type WriteRecord,
} from "./record.ts";
import { type Timestamp, timestampFromMs } from "./timestamp.ts";

/** The state of one key. */
export interface Entry {
  /** The greatest accepted record of the key in the order of ranks. */
  readonly winner: WriteRecord;
  /**
   * Accepted records other than the winner that no other accepted record covers, greatest first. Puts among them are
   * conflicts, unless equal to the winner or expired when another was written. What is no conflict is kept because it
   * covers what may still arrive.
   */
  readonly siblings: readonly WriteRecord[];
}

/** The siblings of most entries. */
export const NO_SIBLINGS: readonly WriteRecord[] = [];

const FORMAT = 1;

/** Whether a reader finds a value under the key at `nowMs`. */
export function isLive(entry: Entry | undefined, nowMs: number): entry is Entry {
  return entry !== undefined && !entry.winner.isDelete && !isExpired(entry.winner, nowMs);
}

/**
 * The losers that are shown as unsettled conflicts (rule X1), greatest first. One whose deadline had passed when another
 * was written is none: the other's author may have forgotten it by then, and could not name it.
 */
export function conflictsOf(entry: Entry): readonly WriteRecord[] {
  const { winner, siblings } = entry;
  return siblings.filter((sibling) => {
    if (sibling.isDelete || hasSameContent(sibling, winner)) return false;
    if (sibling.expiresAtMs === 0) return true;
    const deadline = timestampFromMs(sibling.expiresAtMs);
    return ![winner, ...siblings].some((other) => other !== sibling && writtenAt(other) >= deadline);
  });
}

/** When the write was made; one from a clock that ran ahead counts from its adoption, like its rank (rule C5). */
function writtenAt(record: WriteRecord): Timestamp {
  return Math.min(originalTimestamp(record), record.timestamp);
}

/** Whether two records would show a reader the same. */
export function hasSameContent(a: WriteRecord, b: WriteRecord): boolean {
  if (a.isDelete !== b.isDelete || a.expiresAtMs !== b.expiresAtMs || a.value.length !== b.value.length)
    return false;
  for (let index = 0; index < a.value.length; index += 1) if (a.value[index] !== b.value[index]) return false;
  return true;
}

/** Bytes that an encoded entry takes. */
export function entryBytes({ winner, siblings }: Entry): number {
  let bytes = 1 + varintBytes(siblings.length) + winner.bytes.length;
  for (const sibling of siblings) bytes += varintBytes(sibling.bytes.length) + sibling.bytes.length;
  return bytes;
}

/** Encodes an entry; see the grammar above. */
export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(entryBytes(entry));
  putEntry(bytes, 0, entry);
  return bytes;
}

/** Appends an encoded entry with its length before it. */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.varint(entryBytes(entry));
  if (entry.siblings.length === 0) writer.u8(FORMAT).u8(0).raw(entry.winner.bytes);
  else writer.raw(encodeEntry(entry));
}

/** Writes an encoded entry from an offset on, where there is room for what {@link entryBytes} says. */
export function putEntry(target: Uint8Array, at: number, { winner, siblings }: Entry): void {
  if (siblings.length === 0) {
    target[at] = FORMAT;
    target[at + 1] = 0;
    target.set(winner.bytes, at + 2);
    return;
  }
  const writer = new ByteWriter(target.subarray(at)).u8(FORMAT).varint(siblings.length);
  for (const sibling of siblings) writer.blob(sibling.bytes);
  writer.raw(winner.bytes);
}

/**
 * Decodes an entry and checks every checksum in it; throws FormatError.
 * @param key whose entry it has to be; undefined: anybody's
 */
export function decodeEntry(bytes: Uint8Array, key?: KeyText): Entry {
  // Nearly all entries are one record. The view is a plain one, whatever `bytes` is.
  if (bytes[0] === FORMAT && bytes[1] === 0) {
    const record = new Uint8Array(bytes.buffer, bytes.byteOffset + 2, bytes.length - 2);
    return { winner: decodeRecord(record, key), siblings: NO_SIBLINGS };
  }
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return readEntry(new ByteReader(plain), (reader, count) => decodeRecord(reader.raw(count), key));
}

/**
 * Decodes what this process has encoded and kept in its memory, from `start` to before `end`: checksums are not checked
 * again, and the records are copies.
 */
export function decodeKeptEntry(bytes: Uint8Array, start: number, end: number, key: KeyText): Entry {
  // Nearly all entries are one record, and a write begins with reading one: no view is made of what is copied.
  if (bytes[start] === FORMAT && bytes[start + 1] === 0) {
    const copy = COPIES.allocate(end - start - 2);
    for (let index = 0; index < copy.length; index += 1) copy[index] = bytes[start + 2 + index]!;
    return { winner: decodeKeptRecord(copy, key), siblings: NO_SIBLINGS };
  }
  return readEntry(new ByteReader(bytes, start, end), (reader, count) =>
    decodeKeptRecord(copyOf(reader.raw(count)), key),
  );
}

/** Entries that are read live as long as what is done with them: some longer, so the buffers are small. */
const COPIES = new BytePool(4096);

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = COPIES.allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

function readEntry(
  reader: ByteReader,
  readRecord: (reader: ByteReader, bytes: number) => WriteRecord,
): Entry {
  const format = reader.u8();
  if (format !== FORMAT) throw new FormatError(`entry format ${format} is not known`);
  const count = reader.count(1);
  if (count === 0) return { winner: readRecord(reader, reader.remaining), siblings: NO_SIBLINGS };
  const siblings: WriteRecord[] = [];
  for (let index = 0; index < count; index += 1) siblings.push(readRecord(reader, reader.varint()));
  const winner = readRecord(reader, reader.remaining);
  let last = winner;
  for (const sibling of siblings) {
    if (sibling.key !== winner.key || compareRecords(sibling, last) >= 0)
      throw new FormatError("entry not in order");
    last = sibling;
  }
  return { winner, siblings };
}
