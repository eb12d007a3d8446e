/**
 * A position in an origin's log: how far, and on which branch of the origin's life. Each process start of a replica
 * has a random start id and remembers the last own timestamp that it recovered; so two positions tell whether one
 * continues the other, or whether a directory was restored or cloned in between (rule M5).
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { type StartId, UNKNOWN_START } from "./ids.ts";
import type { Timestamp } from "./timestamp.ts";

/** How far an origin's log is held, and on which branch. */
export interface Position {
  /** Everything up to here, inclusive. */
  readonly timestamp: Timestamp;
  /** The start in which `timestamp` was issued; UNKNOWN_START when that is not known. */
  readonly start: StartId;
  /** The origin's last own timestamp when that start began; 0 with UNKNOWN_START. */
  readonly recovered: Timestamp;
}

/** The position before the first record. */
export const ZERO_POSITION: Position = { timestamp: 0, start: UNKNOWN_START, recovered: 0 };

/** A position of which only the timestamp is known. */
export function positionAt(timestamp: Timestamp): Position {
  return { timestamp, start: UNKNOWN_START, recovered: 0 };
}

/** Whether two positions lie on different branches: neither start had recovered what was seen of the other. */
export function isForked(a: Position, b: Position): boolean {
  if (a.start === b.start || a.start === UNKNOWN_START || b.start === UNKNOWN_START) return false;
  return a.recovered < b.timestamp && b.recovered < a.timestamp;
}

/** The greatest timestamp up to which two positions of one origin surely speak of the same records. */
export function commonTimestamp(a: Position, b: Position): Timestamp {
  const least = Math.min(a.timestamp, b.timestamp);
  return isForked(a, b) ? Math.min(least, a.recovered, b.recovered) : least;
}

export function writePosition(writer: ByteWriter, position: Position): void {
  writer.u64(position.timestamp).id(position.start).u64(position.recovered);
}

export function readPosition(reader: ByteReader): Position {
  const timestamp = reader.u64();
  const start = reader.id() as StartId;
  return { timestamp, start, recovered: reader.u64() };
}
