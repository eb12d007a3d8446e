/**
 * A stretch of a log as bytes. Its records go as they are, but for what the stretch says of all of them: the origin is
 * told once, and each timestamp as the distance from the last. The receiver has the very bytes again, checksum included.
 *
 * ```
 * stretch = id origin, u64 after, position claim, varint count,
 *           [count > 0: varint bytes of all records, count * (varint timestamp - last, blob record without its version)]
 * last    = the timestamp of the record before; `after` for the first
 * ```
 */
import { type ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import type { ReplicaId } from "../ids.ts";
import { readPosition, writePosition } from "../position.ts";
import { decodeRecord, VERSION_END, VERSION_START, type WriteRecord } from "../record.ts";
import { type Timestamp, TIMESTAMP_MAX } from "../timestamp.ts";
import type { LogStretch } from "./messages.ts";

const VERSION_BYTES = VERSION_END - VERSION_START;

/** Appends a stretch. */
export function writeStretch(writer: ByteWriter, { origin, after, claim, records }: LogStretch): void {
  writer.id(origin).u64(after);
  writePosition(writer, claim);
  writer.varint(records.length);
  if (records.length === 0) return;
  writer.varint(records.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let last = after;
  for (const { timestamp, bytes } of records) {
    writer.varint(timestamp - last).varint(bytes.length - VERSION_BYTES);
    writer.raw(bytes.subarray(0, VERSION_START)).raw(bytes.subarray(VERSION_END));
    last = timestamp;
  }
}

/** Reads what {@link writeStretch} wrote, and checks every record; throws FormatError. */
export function readStretch(reader: ByteReader): LogStretch {
  const origin = reader.id() as ReplicaId;
  const after = reader.u64();
  const claim = readPosition(reader);
  const count = reader.count(2 + VERSION_START);
  const records = count === 0 ? [] : readRecords(reader, count, origin, after);
  const last = records.at(-1);
  if (last?.moreFollows === true) throw new FormatError("frame ends inside a batch");
  if (claim.timestamp < (last?.timestamp ?? after)) throw new FormatError("claim below the frame's records");
  return { origin, after, claim, records };
}

function readRecords(reader: ByteReader, count: number, origin: ReplicaId, after: Timestamp): WriteRecord[] {
  const total = reader.varint();
  if (total > reader.remaining + count * VERSION_BYTES) throw new FormatError("records end too early");
  const bytes = new Uint8Array(total);
  const writer = new ByteWriter(bytes);
  const records: WriteRecord[] = [];
  let last = after;
  for (let index = 0; index < count; index += 1) {
    const distance = reader.varint();
    last += distance;
    if (distance === 0 || last > TIMESTAMP_MAX) throw new FormatError("frame not in order");
    const length = reader.varint();
    const start = writer.length;
    if (length < VERSION_START || start + length + VERSION_BYTES > total)
      throw new FormatError("record of a wrong length");
    writer.raw(reader.raw(VERSION_START)).u64(last).id(origin);
    writer.raw(reader.raw(length - VERSION_START));
    records.push(decodeRecord(bytes.subarray(start, writer.length)));
  }
  if (writer.length !== total) throw new FormatError("records of a wrong length");
  return records;
}
