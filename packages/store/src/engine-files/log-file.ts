/**
 * Reads LevelDB's log format, which its write-ahead log and its manifest share, stricter than LevelDB does: LevelDB
 * skips what is damaged and goes on in silence, and cannot tell a damaged length from a write that was cut short.
 *
 * ```
 * file     = blocks of 32 KiB, the last one shorter
 * block    = records, then fewer than 7 zero bytes
 * record   = u32 masked CRC-32C of type and payload, u16 length, u8 type, payload      (little-endian)
 * type     = 1 full, 2 first, 3 middle, 4 last
 * ```
 */
import { crc32c } from "@meshkv/core";
import { fixed32, maskChecksum, putFixed32, unmaskChecksum } from "./little-endian.ts";

export const LOG_BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
/** Bytes before the rows of a batch, which is what the records of a write-ahead log are. */
export const BATCH_HEADER_BYTES = 12;
/** Bytes that are summed up in search of a record behind a damaged length: tens of milliseconds. */
const SEARCH_BYTES_MAX = 32 * 1024 * 1024;
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

/** A bad place in a log file. */
export interface LogDefect {
  readonly offset: number;
  readonly message: string;
}

/** What a log file holds. */
export interface LogContents {
  /** Whole records, in order, up to the first defect and after it. */
  readonly records: readonly Uint8Array[];
  readonly defects: readonly LogDefect[];
  /** Where a last write that was cut short begins: the file ends inside it, or is zeros from there on. */
  readonly tornAt: number | undefined;
}

/** Reads a whole log file. */
export function readLogFile(bytes: Uint8Array): LogContents {
  return new LogReader(bytes).read();
}

/** A log file that holds these records. */
export function encodeLogFile(records: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const record of records) {
    for (let start = 0, isFirst = true; isFirst || start < record.length; isFirst = false) {
      let room = LOG_BLOCK_BYTES - (at % LOG_BLOCK_BYTES);
      if (room < HEADER_BYTES) {
        parts.push(new Uint8Array(room));
        at += room;
        room = LOG_BLOCK_BYTES;
      }
      const end = Math.min(record.length, start + room - HEADER_BYTES);
      const isLast = end === record.length;
      const type = isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE;
      const part = encodePart(type, record.subarray(start, end));
      parts.push(part);
      at += part.length;
      start = end;
    }
  }
  return join(parts);
}

function encodePart(type: number, payload: Uint8Array): Uint8Array {
  const part = new Uint8Array(HEADER_BYTES + payload.length);
  part[4] = payload.length & 0xff;
  part[5] = payload.length >>> 8;
  part[6] = type;
  part.set(payload, HEADER_BYTES);
  putFixed32(part, 0, maskChecksum(crc32c(part, 6)));
  return part;
}

class LogReader {
  readonly #bytes: Uint8Array;
  readonly #records: Uint8Array[] = [];
  readonly #defects: LogDefect[] = [];
  #parts: Uint8Array[] = [];
  #partsAt = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(): LogContents {
    const bytes = this.#bytes;
    let at = 0;
    let tornAt: number | undefined;
    while (at < bytes.length && tornAt === undefined) {
      const blockEnd = at - (at % LOG_BLOCK_BYTES) + LOG_BLOCK_BYTES;
      if (blockEnd - at < HEADER_BYTES) {
        at = blockEnd;
        continue;
      }
      const verdict = judge(bytes, at, blockEnd);
      if (verdict.kind === "record") {
        this.#add(at, verdict.type, bytes.subarray(at + HEADER_BYTES, verdict.end));
        at = verdict.end;
      } else if (verdict.kind === "torn") {
        tornAt = at;
      } else {
        this.#defects.push({ offset: at, message: verdict.message });
        this.#parts = [];
        at = blockEnd;
      }
    }
    // A record whose first parts are whole and whose rest is missing was cut short, too.
    if (this.#parts.length > 0) tornAt = this.#partsAt;
    return { records: this.#records, defects: this.#defects, tornAt };
  }

  #add(at: number, type: number, payload: Uint8Array): void {
    const isContinuation = type === MIDDLE || type === LAST;
    if (isContinuation !== this.#parts.length > 0) {
      // After a defect the rest of its record is no news.
      if (this.#defects.length === 0 || this.#parts.length > 0) {
        this.#defects.push({ offset: at, message: "a record in parts lacks a part" });
      }
      this.#parts = [];
      if (isContinuation) return;
    }
    if (this.#parts.length === 0) this.#partsAt = at;
    this.#parts.push(payload);
    if (type === FULL || type === LAST) {
      this.#records.push(join(this.#parts));
      this.#parts = [];
    }
  }
}

type Verdict =
  | { readonly kind: "record"; readonly type: number; readonly end: number }
  | { readonly kind: "torn" }
  | { readonly kind: "damaged"; readonly message: string };

function judge(bytes: Uint8Array, at: number, blockEnd: number): Verdict {
  const fileEnd = bytes.length;
  if (isZero(bytes, at, fileEnd)) return { kind: "torn" };
  if (at + HEADER_BYTES > fileEnd) return { kind: "torn" };
  const length = bytes[at + 4]! | (bytes[at + 5]! << 8);
  const type = bytes[at + 6]!;
  const end = at + HEADER_BYTES + length;
  if (end > blockEnd) return { kind: "damaged", message: "a record is longer than its block" };
  if (end > fileEnd) {
    // Cut short, unless it is only the length that is wrong: then the record fits the file, or others follow it.
    const isWhole = checksumMatches(bytes, at, fileEnd);
    if (isWhole || holdsRecord(bytes, at + 1))
      return { kind: "damaged", message: "the length of a record is damaged" };
    return { kind: "torn" };
  }
  if (!checksumMatches(bytes, at, end))
    return { kind: "damaged", message: "the checksum of a record does not match" };
  if (type < FULL || type > LAST)
    return { kind: "damaged", message: `records of type ${type} are not known` };
  return { kind: "record", type, end };
}

/**
 * Whether a whole record with a right checksum lies anywhere in the rest of the last block. Gives up on bytes in which
 * everything looks like the beginning of a record, since trying each would take the square of their number.
 */
function holdsRecord(bytes: Uint8Array, from: number): boolean {
  let left = SEARCH_BYTES_MAX;
  for (let at = from; at + HEADER_BYTES <= bytes.length && left > 0; at += 1) {
    const type = bytes[at + 6]!;
    const end = at + HEADER_BYTES + (bytes[at + 4]! | (bytes[at + 5]! << 8));
    if (type < FULL || type > LAST || end > bytes.length) continue;
    if (checksumMatches(bytes, at, end)) return true;
    left -= end - at;
  }
  return false;
}

function checksumMatches(bytes: Uint8Array, at: number, end: number): boolean {
  return crc32c(bytes, at + 6, end) === unmaskChecksum(fixed32(bytes, at));
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
