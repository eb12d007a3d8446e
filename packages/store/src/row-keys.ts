/**
 * Keys of engine rows. Every key starts with a big-endian generation and the letter of a table; integers are
 * big-endian and keys inside longer row keys are escaped, so that the engine's byte order is the order of the parts.
 *
 * ```
 * entry      = generation 'e' key
 * log        = generation 'l' origin timestamp
 * expiry     = generation 'x' expiresAtMs key
 * conflicted = generation 'u' key
 * request    = generation 'r' id
 * settled    = generation 's' escaped-key timestamp origin
 * section    = generation 'm' name
 * root       = u32 0 name                            (rows of the whole directory)
 * escaped-key = every byte 0x00 as 0x00 0xff, then 0x00 0x00
 * ```
 */
import {
  ByteReader,
  FormatError,
  type KeyText,
  keyTextWithin,
  putId,
  putKeyText,
  putU32,
  putU64,
  type ReplicaId,
  type StateSection,
  type Timestamp,
} from "@meshkv/core";

/** Letters of the tables, as bytes. */
export const TABLE = {
  entry: 0x65,
  log: 0x6c,
  expiry: 0x78,
  conflicted: 0x75,
  request: 0x72,
  settled: 0x73,
  section: 0x6d,
} as const;

/** A table's letter. */
export type TableLetter = (typeof TABLE)[keyof typeof TABLE];

/** Bytes before a table's own key. */
export const ROW_PREFIX_BYTES = 5;

/** Gives out arrays of a size, with whatever is in them. */
export type Allocator = (bytes: number) => Uint8Array;

function fresh(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}

function prefixed(
  generation: number,
  table: TableLetter,
  bytes: number,
  allocate: Allocator = fresh,
): Uint8Array {
  const row = allocate(ROW_PREFIX_BYTES + bytes);
  putU32(row, 0, generation);
  row[4] = table;
  return row;
}

/** The row of a key's entry. */
export function entryRow(generation: number, key: KeyText, allocate?: Allocator): Uint8Array {
  const row = prefixed(generation, TABLE.entry, key.length, allocate);
  putKeyText(row, ROW_PREFIX_BYTES, key);
  return row;
}

/** The row of a record in its origin's log. */
export function logRow(
  generation: number,
  origin: ReplicaId,
  timestamp: Timestamp,
  allocate?: Allocator,
): Uint8Array {
  const row = prefixed(generation, TABLE.log, 16, allocate);
  putId(row, ROW_PREFIX_BYTES, origin);
  putU64(row, ROW_PREFIX_BYTES + 8, timestamp);
  return row;
}

/** The row that says when a key's winning put expires. */
export function expiryRow(
  generation: number,
  expiresAtMs: number,
  key: KeyText,
  allocate?: Allocator,
): Uint8Array {
  const row = prefixed(generation, TABLE.expiry, 8 + key.length, allocate);
  putU64(row, ROW_PREFIX_BYTES, expiresAtMs);
  putKeyText(row, ROW_PREFIX_BYTES + 8, key);
  return row;
}

/** The row that marks a key with unsettled siblings. */
export function conflictedRow(generation: number, key: KeyText, allocate?: Allocator): Uint8Array {
  const row = prefixed(generation, TABLE.conflicted, key.length, allocate);
  putKeyText(row, ROW_PREFIX_BYTES, key);
  return row;
}

/** The row of a settled conflict. */
export function settledRow(
  generation: number,
  key: KeyText,
  timestamp: Timestamp,
  origin: ReplicaId,
  allocate?: Allocator,
): Uint8Array {
  let zeros = 0;
  for (let index = 0; index < key.length; index += 1) if (key.charCodeAt(index) === 0) zeros += 1;
  const row = prefixed(generation, TABLE.settled, key.length + zeros + 2 + 16, allocate);
  let at = ROW_PREFIX_BYTES;
  for (let index = 0; index < key.length; index += 1) {
    const byte = key.charCodeAt(index);
    row[at] = byte;
    at += 1;
    if (byte === 0) {
      row[at] = 0xff;
      at += 1;
    }
  }
  row[at] = 0;
  row[at + 1] = 0;
  at += 2;
  putU64(row, at, timestamp);
  putId(row, at + 8, origin);
  return row;
}

/** The row of what came of a request with an id. */
export function requestRow(generation: number, id: KeyText, allocate?: Allocator): Uint8Array {
  const row = prefixed(generation, TABLE.request, id.length, allocate);
  putKeyText(row, ROW_PREFIX_BYTES, id);
  return row;
}

/** The row of a section of the replica's state. */
export function sectionRow(generation: number, name: StateSection): Uint8Array {
  const row = prefixed(generation, TABLE.section, name.length);
  putKeyText(row, ROW_PREFIX_BYTES, name as string as KeyText);
  return row;
}

/** A row of the directory as a whole. */
export function rootRow(name: string): Uint8Array {
  const row = new Uint8Array(4 + name.length);
  putKeyText(row, 4, name as KeyText);
  return row;
}

/** The first row key of a table. */
export function tableStart(generation: number, table: TableLetter): Uint8Array {
  return prefixed(generation, table, 0);
}

/** A row key just above every row of a table. */
export function tableEnd(generation: number, table: TableLetter): Uint8Array {
  return prefixed(generation, (table + 1) as TableLetter, 0);
}

/** The first possible row key of a generation. */
export function generationStart(generation: number): Uint8Array {
  const row = new Uint8Array(4);
  putU32(row, 0, generation);
  return row;
}

/** The generation of a row. */
export function generationOfRow(row: Uint8Array): number {
  return new ByteReader(row).u32();
}

/** The text after the prefix of an entry's or a conflicted row, or of a section's. */
export function keyOfRow(row: Uint8Array): KeyText {
  return keyTextWithin(row, ROW_PREFIX_BYTES, row.length);
}

/** The parts of a log row. @throws FormatError */
export function parseLogRow(row: Uint8Array): { readonly origin: ReplicaId; readonly timestamp: Timestamp } {
  const reader = new ByteReader(row, ROW_PREFIX_BYTES);
  const origin = reader.id() as ReplicaId;
  const timestamp = reader.u64();
  reader.end();
  return { origin, timestamp };
}

/** The timestamp of a log row alone. @throws FormatError */
export function timestampOfLogRow(row: Uint8Array): Timestamp {
  return new ByteReader(row, ROW_PREFIX_BYTES + 8).u64();
}

/** The parts of an expiry row. @throws FormatError */
export function parseExpiryRow(row: Uint8Array): { readonly expiresAtMs: number; readonly key: KeyText } {
  const reader = new ByteReader(row, ROW_PREFIX_BYTES);
  const expiresAtMs = reader.u64();
  return { expiresAtMs, key: keyTextWithin(row, ROW_PREFIX_BYTES + 8, row.length) };
}

/** The parts of a settled conflict's row. @throws FormatError */
export function parseSettledRow(row: Uint8Array): {
  readonly key: KeyText;
  readonly timestamp: Timestamp;
  readonly origin: ReplicaId;
} {
  const reader = new ByteReader(row, ROW_PREFIX_BYTES);
  let text = "";
  for (;;) {
    const byte = reader.u8();
    if (byte === 0) {
      const escape = reader.u8();
      if (escape === 0) break;
      if (escape !== 0xff) throw new FormatError("key not escaped as it should be");
    }
    text += String.fromCharCode(byte);
  }
  const timestamp = reader.u64();
  const origin = reader.id() as ReplicaId;
  reader.end();
  return { key: text as KeyText, timestamp, origin };
}

/** The least key above a key. */
export function keyAfter(key: KeyText): KeyText {
  return `${key}\0` as KeyText;
}
