/**
 * A position in an origin's log: how far, and on which branch of the origin's life. Each process start of a replica
 * has a random start id and remembers the last own timestamp that it recovered; so two positions tell whether one
 * continues the other, or whether a directory was restored or cloned in between (rule M5).
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { type StartId, UNKNOWN_START } from "./ids.ts";
import type { Timestamp } from "./timestamp.ts";

/** One process start of an origin. */
export interface StartPoint {
  /** Random. */
  readonly id: StartId;
  /** The origin's last own timestamp when the start began. */
  readonly recovered: Timestamp;
}

/** How far an origin's log is held, and on which branch. */
export interface Position {
  /** Everything up to here, inclusive. */
  readonly timestamp: Timestamp;
  /** The start in which `timestamp` was issued; UNKNOWN_START when that is not known. */
  readonly start: StartId;
  /** The origin's last own timestamp when that start began; 0 with UNKNOWN_START. */
  readonly recovered: Timestamp;
  /** The starts that it followed, latest first, at most EARLIER_MAX; absent when none is known. */
  readonly earlier?: readonly StartPoint[];
}

/** So many earlier starts are told with a position: of copies that are older, history is taken to have been one line. */
const EARLIER_MAX = 16;

/** The position before the first record. */
export const ZERO_POSITION: Position = { timestamp: 0, start: UNKNOWN_START, recovered: 0 };

/** A position of which only the timestamp is known. */
export function positionAt(timestamp: Timestamp): Position {
  return { timestamp, start: UNKNOWN_START, recovered: 0 };
}

/**
 * The position of a replica's own log at a timestamp.
 * @param starts its process starts, oldest first
 * @param earlierMax so many of the starts before that one are named
 */
export function positionOf(
  starts: readonly StartPoint[],
  timestamp: Timestamp,
  earlierMax: number = EARLIER_MAX,
): Position {
  for (let index = starts.length - 1; index >= 0; index -= 1) {
    const start = starts[index];
    if (start === undefined || timestamp <= start.recovered) continue;
    const { id, recovered } = start;
    const earlier: StartPoint[] = [];
    let before = recovered;
    for (let older = index - 1; older >= 0 && earlier.length < earlierMax; older -= 1) {
      const point = starts[older];
      // A start that issued nothing says nothing.
      if (point === undefined || point.recovered >= before) continue;
      earlier.push({ id: point.id, recovered: point.recovered });
      before = point.recovered;
    }
    return makePosition(timestamp, id, recovered, earlier);
  }
  return positionAt(timestamp);
}

/** The position at another timestamp of the same start. */
export function moved({ start, recovered, earlier }: Position, timestamp: Timestamp): Position {
  return earlier === undefined ? { timestamp, start, recovered } : { timestamp, start, recovered, earlier };
}

/** The position at an earlier timestamp of the log in which `position` lies. */
export function positionWithin(position: Position, timestamp: Timestamp): Position {
  const { start, recovered, earlier = [] } = position;
  if (start === UNKNOWN_START) return positionAt(timestamp);
  if (timestamp > recovered) return moved(position, timestamp);
  const index = earlier.findIndex((point) => timestamp > point.recovered);
  const point = earlier[index];
  return point === undefined
    ? positionAt(timestamp)
    : makePosition(timestamp, point.id, point.recovered, earlier.slice(index + 1));
}

function makePosition(
  timestamp: Timestamp,
  start: StartId,
  recovered: Timestamp,
  earlier: readonly StartPoint[],
): Position {
  return earlier.length === 0 ? { timestamp, start, recovered } : { timestamp, start, recovered, earlier };
}

/** Whether two positions lie on different branches: each holds something that the other's start did not recover. */
export function isForked(a: Position, b: Position): boolean {
  if (a.start === b.start) return false;
  return commonTimestamp(a, b) < Math.min(a.timestamp, b.timestamp);
}

/**
 * Of two positions of one origin the further one, where they lie on one branch; else that of the later start. Associative:
 * a start begins with all that the branch held before it.
 */
export function laterPosition(a: Position, b: Position): Position {
  const byStart = a.recovered - b.recovered || (a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  const byEnd = byStart || a.timestamp - b.timestamp;
  return (byEnd || (a.earlier?.length ?? 0) - (b.earlier?.length ?? 0)) >= 0 ? a : b;
}

/** The greatest timestamp up to which two positions of one origin surely speak of the same records. */
export function commonTimestamp(a: Position, b: Position): Timestamp {
  const least = Math.min(a.timestamp, b.timestamp);
  if (a.start === b.start || a.start === UNKNOWN_START || b.start === UNKNOWN_START) return least;
  const [left, right] = [stretchesOf(a), stretchesOf(b)];
  let shared: Timestamp | undefined;
  for (const mine of left) {
    const theirs = right.find(({ id }) => id === mine.id);
    if (theirs !== undefined) shared = Math.max(shared ?? 0, Math.min(least, mine.end, theirs.end));
  }
  if (shared !== undefined) return shared;
  // No start is known of both: what the one had when it ended a start is taken for part of what the other began with.
  return Math.min(least, Math.max(lastEndBy(oldestOf(b), left, a), lastEndBy(oldestOf(a), right, b)));
}

/** What one process start has issued in a log. */
export interface Stretch extends StartPoint {
  /** The last timestamp of the start in this log. */
  readonly end: Timestamp;
}

/** The starts of a log, latest first. */
export function stretchesOf({ timestamp, start, recovered, earlier = [] }: Position): Stretch[] {
  const stretches: Stretch[] = [{ id: start, recovered, end: timestamp }];
  let end = recovered;
  for (const point of earlier) {
    stretches.push({ ...point, end });
    end = point.recovered;
  }
  return stretches;
}

function oldestOf({ recovered, earlier }: Position): Timestamp {
  return earlier?.at(-1)?.recovered ?? recovered;
}

function lastEndBy(bound: Timestamp, stretches: readonly Stretch[], position: Position): Timestamp {
  const last = stretches.find(({ end }) => end <= bound);
  if (last !== undefined) return last.end;
  const oldest = oldestOf(position);
  return oldest <= bound ? oldest : 0;
}

/** `position = u64 timestamp, id start, u64 recovered, varint count, count * (id start, u64 recovered)`, latest first. */
export function writePosition(writer: ByteWriter, position: Position): void {
  const { earlier = [] } = position;
  writer.u64(position.timestamp).id(position.start).u64(position.recovered).varint(earlier.length);
  for (const { id, recovered } of earlier) writer.id(id).u64(recovered);
}

export function readPosition(reader: ByteReader): Position {
  const timestamp = reader.u64();
  const start = reader.id() as StartId;
  const recovered = reader.u64();
  const earlier: StartPoint[] = [];
  for (let left = reader.count(16); left > 0; left -= 1) {
    earlier.push({ id: reader.id() as StartId, recovered: reader.u64() });
  }
  return makePosition(timestamp, start, recovered, earlier);
}
