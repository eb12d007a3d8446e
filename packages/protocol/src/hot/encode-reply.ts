/**
 * The replies that are sent most often, encoded by hand: from the core's records straight into one buffer, without a
 * message in between, and without BigInt. Byte for byte what the generated code makes of the same reply.
 */
import { originalTimestamp, timestampToMs, type Version, type WriteRecord } from "@meshkv/core";
import { fieldSize, varintSize, WireWriter } from "./wire-writer.ts";

/** What a reader of a key is answered: a `GetResponse` in terms of the core. */
export interface ReadResult {
  /** The winner, if there is a value; undefined: no entry. */
  readonly winner: WriteRecord | undefined;
  /** Unsettled conflicts of the key. */
  readonly conflictCount: number;
  /** Losers that are shown, newest first. */
  readonly conflicts: readonly WriteRecord[];
  /** The token for the next call; ASCII. */
  readonly session: string;
}

/** What a reader of several keys is answered: a `GetManyResponse` in terms of the core. */
export interface ManyResult {
  /** One for each key, in order. */
  readonly results: readonly ReadResult[];
  /** The token for the next call; ASCII. */
  readonly session: string;
}

/** What the writer of a key is answered: a `SetResponse` in terms of the core. */
export interface SetResult {
  readonly version: Version;
  /** The token for the next call; ASCII. */
  readonly session: string;
  /** Replicas known to hold the write durably. */
  readonly replicas: number;
  /** The key had no entry. */
  readonly created: boolean;
}

const VERSION_LENGTH = 32;
const VERSION_FIELD = fieldSize(VERSION_LENGTH);

/** Encodes a `GetResponse`. */
export function encodeGetResponse(result: ReadResult): Buffer {
  const size = sizeOfRead(result);
  const writer = new WireWriter(size);
  writeRead(writer, result);
  return writer.view();
}

/** Encodes a `GetManyResponse`. */
export function encodeGetManyResponse({ results, session }: ManyResult): Buffer {
  let size = fieldSize(session.length);
  for (const result of results) size += fieldSize(sizeOfRead(result));
  const writer = new WireWriter(size);
  for (const result of results) {
    writer.head(0x0a, sizeOfRead(result));
    writeRead(writer, result);
  }
  writer.latin1(0x12, session);
  return writer.view();
}

/** Encodes a `SetResponse`. */
export function encodeSetResponse(result: SetResult): Buffer {
  const writer = new WireWriter(sizeOfSet(result));
  writeSet(writer, result);
  return writer.view();
}

/** Bytes that {@link writeRead} writes. */
export function sizeOfRead({ winner, conflictCount, conflicts, session }: ReadResult): number {
  let size = winner === undefined ? 0 : fieldSize(sizeOfEntry(winner, conflictCount));
  for (const loser of conflicts) size += fieldSize(sizeOfEntry(loser, 0));
  return session.length === 0 ? size : size + fieldSize(session.length);
}

/** Writes the fields of a `GetResponse`; there must be room. */
export function writeRead(writer: WireWriter, result: ReadResult): void {
  const { winner, conflictCount, conflicts, session } = result;
  if (winner !== undefined) writeEntry(writer, 0x0a, winner, conflictCount);
  for (const loser of conflicts) writeEntry(writer, 0x12, loser, 0);
  writer.latin1(0x1a, session);
}

/** Bytes that {@link writeSet} writes. */
export function sizeOfSet({ session, replicas, created }: SetResult): number {
  return (
    VERSION_FIELD +
    (session.length === 0 ? 0 : fieldSize(session.length)) +
    (replicas === 0 ? 0 : 1 + varintSize(replicas)) +
    (created ? 2 : 0)
  );
}

/** Writes the fields of a `SetResponse`; there must be room. */
export function writeSet(writer: WireWriter, { version, session, replicas, created }: SetResult): void {
  writeVersion(writer, 0x0a, version);
  writer.latin1(0x12, session);
  writer.number(0x18, replicas);
  if (created) writer.number(0x20, 1);
}

function writeVersion(writer: WireWriter, tag: number, { timestamp, origin }: Version): void {
  writer.head(tag, VERSION_LENGTH);
  writer.hex16(timestamp);
  writer.characters(origin);
}

/** Bytes that {@link writeEntryFields} writes. */
export function sizeOfEntry(record: WriteRecord, conflictCount: number, value = record.value): number {
  const { key, expiresAtMs, isDelete } = record;
  return (
    (key.length === 0 ? 0 : fieldSize(key.length)) +
    (value.length === 0 ? 0 : fieldSize(value.length)) +
    VERSION_FIELD +
    (expiresAtMs > 0 ? fieldSize(sizeOfTime(expiresAtMs)) : 0) +
    (conflictCount === 0 ? 0 : 1 + varintSize(conflictCount)) +
    (isDelete ? 2 : 0) +
    fieldSize(writerOf(record).length) +
    fieldSize(sizeOfTime(timeOf(record)))
  );
}

function writeEntry(writer: WireWriter, tag: number, record: WriteRecord, conflictCount: number): void {
  writer.head(tag, sizeOfEntry(record, conflictCount));
  writeEntryFields(writer, record, conflictCount);
}

/** Writes the fields of an `Entry`; there must be room. */
export function writeEntryFields(
  writer: WireWriter,
  record: WriteRecord,
  conflictCount: number,
  value = record.value,
): void {
  writer.latin1(0x0a, record.key);
  writer.bytes(0x12, value);
  writeVersion(writer, 0x1a, record);
  if (record.expiresAtMs > 0) writeTime(writer, 0x22, record.expiresAtMs);
  writer.number(0x28, conflictCount);
  if (record.isDelete) writer.number(0x30, 1);
  writer.latin1(0x3a, writerOf(record));
  writeTime(writer, 0x42, timeOf(record));
}

/** Of the original write, where the record was adopted from a replica that came back. */
function writerOf(record: WriteRecord): string {
  return record.adopted?.origin ?? record.origin;
}

function timeOf(record: WriteRecord): number {
  return timestampToMs(originalTimestamp(record));
}

function sizeOfTime(unixMs: number): number {
  const seconds = Math.floor(unixMs / 1000);
  const nanos = (unixMs - seconds * 1000) * 1_000_000;
  return (seconds === 0 ? 0 : 1 + varintSize(seconds)) + (nanos === 0 ? 0 : 1 + varintSize(nanos));
}

function writeTime(writer: WireWriter, tag: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000);
  writer.head(tag, sizeOfTime(unixMs));
  writer.number(0x08, seconds);
  writer.number(0x10, (unixMs - seconds * 1000) * 1_000_000);
}
