/** Answers the core's scan requests from the rows of one generation. */
import {
  decodeEntry,
  decodeRecord,
  type Entry,
  type ExpiryRow,
  FormatError,
  type KeyText,
  type ScanRequest,
  type ScanResult,
  type SettledConflict,
  TIMESTAMP_MAX,
  type WriteRecord,
} from "@meshkv/core";
import type { EngineIterator, EngineRange } from "./engine.ts";
import { decodeSettled } from "./group-rows.ts";
import { plain, readRows, STEP_BYTES } from "./read-rows.ts";
import {
  conflictedRow,
  entryRow,
  expiryRow,
  keyAfter,
  keyOfRow,
  logRow,
  parseExpiryRow,
  parseLogRow,
  parseSettledRow,
  settledRow,
  TABLE,
  tableEnd,
  tableStart,
  timestampOfLogRow,
} from "./row-keys.ts";

const ROWS_EXPECTED = 256;

/** A scan that found a bad row. */
export class DamagedRowError extends Error {
  override name = "DamagedRowError";
  /** The bad row's whole key. */
  readonly row: Uint8Array;

  constructor(row: Uint8Array, message: string) {
    super(message);
    this.row = row;
  }
}

/** The engine range that a request reads. */
export function rangeOf(generation: number, request: ScanRequest): EngineRange {
  switch (request.kind) {
    case "log":
      return {
        gt: logRow(generation, request.origin, request.after),
        // Not only up to `upTo`: it may lie inside a batch, of which the rest belongs to the answer.
        lte: logRow(generation, request.origin, TIMESTAMP_MAX),
        highWaterMarkBytes: Math.min(request.bytesMax + 1024, STEP_BYTES),
      };
    case "entries":
      return {
        ...(request.after === undefined
          ? { gte: tableStart(generation, TABLE.entry) }
          : { gt: entryRow(generation, request.after) }),
        lt: tableEnd(generation, TABLE.entry),
        highWaterMarkBytes: Math.min(request.bytesMax + 1024, STEP_BYTES),
      };
    case "expiries":
      return {
        ...(request.after === undefined
          ? { gte: tableStart(generation, TABLE.expiry) }
          : { gt: expiryRow(generation, request.after.expiresAtMs, request.after.key) }),
        lt: expiryRow(generation, request.upToMs + 1, "" as KeyText),
      };
    case "settled":
      return {
        ...(request.after === undefined
          ? { gte: tableStart(generation, TABLE.settled) }
          : { gt: settledRow(generation, request.after.key, request.after.timestamp, request.after.origin) }),
        lt: tableEnd(generation, TABLE.settled),
        highWaterMarkBytes: Math.min(request.bytesMax + 1024, STEP_BYTES),
      };
    case "conflicted":
      return {
        gte:
          request.after === undefined
            ? tableStart(generation, TABLE.conflicted)
            : conflictedRow(generation, keyAfter(request.after)),
        lt: tableEnd(generation, TABLE.conflicted),
      };
  }
}

/**
 * Reads what a request asks for from an iterator over its range, and closes the iterator.
 * @throws DamagedRowError when a row is not what its key says; the engine's errors
 */
export async function readScan(iterator: EngineIterator, request: ScanRequest): Promise<ScanResult> {
  switch (request.kind) {
    case "log":
      return readLog(iterator, request.upTo, request.bytesMax, request.skipDamaged === true);
    case "entries":
      return readEntries(iterator, request.bytesMax, request.skipDamaged === true);
    case "expiries":
      return readExpiries(iterator, request.countMax);
    case "settled":
      return readSettled(iterator, request.bytesMax);
    case "conflicted":
      return readConflicted(iterator, request.countMax);
  }
}

/** Runs a row's decoder; any misfit becomes a damaged row. */
export function decodeRow<T>(row: Uint8Array, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof FormatError) throw new DamagedRowError(plain(row), error.message);
    throw error;
  }
}

/** As {@link decodeRow}, but a damaged row may be left out: undefined. */
function decodeOrSkip<T>(row: Uint8Array, decode: () => T, skipDamaged: boolean): T | undefined {
  try {
    return decodeRow(row, decode);
  } catch (error) {
    if (skipDamaged && error instanceof DamagedRowError) return undefined;
    throw error;
  }
}

/**
 * A batch that has begun is read to its end. Where the rest of a batch has been cut, which happens only at or below the
 * origin's floor, it counts as ended.
 */
async function readLog(
  iterator: EngineIterator,
  upTo: number,
  bytesMax: number,
  skipDamaged: boolean,
): Promise<ScanResult> {
  const records: WriteRecord[] = [];
  let bytes = 0;
  let isInBatch = false;
  let isPastEnd = false;
  const isExhausted = await readRows(iterator, ROWS_EXPECTED, (row, value) => {
    // What lies past the end is none of the answer's business, not even whether it is damaged.
    isPastEnd = !isInBatch && decodeRow(row, () => timestampOfLogRow(row)) > upTo;
    if (isPastEnd) return false;
    const record = decodeOrSkip(row, () => decodeLogRow(row, value), skipDamaged);
    if (record === undefined) return true;
    records.push(record);
    bytes += value.length;
    isInBatch = record.moreFollows;
    return isInBatch || (bytes < bytesMax && record.timestamp < upTo);
  });
  const last = records.at(-1);
  return {
    kind: "log",
    records,
    done: isExhausted || isPastEnd || (last !== undefined && last.timestamp >= upTo),
  };
}

/** Decodes a log row and checks it against its key. @throws FormatError */
export function decodeLogRow(row: Uint8Array, value: Uint8Array): WriteRecord {
  const { origin, timestamp } = parseLogRow(row);
  const record = decodeRecord(value);
  if (record.origin !== origin || record.timestamp !== timestamp) {
    throw new FormatError("record lies under another version");
  }
  return record;
}

async function readEntries(
  iterator: EngineIterator,
  bytesMax: number,
  skipDamaged: boolean,
): Promise<ScanResult> {
  const entries: Entry[] = [];
  let bytes = 0;
  const done = await readRows(iterator, ROWS_EXPECTED, (row, value) => {
    const entry = decodeOrSkip(row, () => decodeEntryRow(row, value), skipDamaged);
    if (entry !== undefined) entries.push(entry);
    bytes += value.length;
    // Who reads on goes by the last entry: a page is empty only at the end.
    return bytes < bytesMax || entries.length === 0;
  });
  return { kind: "entries", entries, done };
}

/** Decodes an entry's row and checks it against its key. @throws FormatError */
export function decodeEntryRow(row: Uint8Array, value: Uint8Array): Entry {
  return decodeEntry(value, keyOfRow(row));
}

async function readExpiries(iterator: EngineIterator, countMax: number): Promise<ScanResult> {
  const rows: ExpiryRow[] = [];
  const done = await readRows(iterator, countMax, (row) => {
    rows.push(decodeRow(row, () => parseExpiryRow(row)));
    return rows.length < countMax;
  });
  return { kind: "expiries", rows, done };
}

async function readSettled(iterator: EngineIterator, bytesMax: number): Promise<ScanResult> {
  const conflicts: SettledConflict[] = [];
  let bytes = 0;
  const done = await readRows(iterator, ROWS_EXPECTED, (row, value) => {
    conflicts.push(decodeRow(row, () => decodeSettledRow(row, value)));
    bytes += value.length;
    return bytes < bytesMax;
  });
  return { kind: "settled", conflicts, done };
}

/** Decodes a settled conflict's row and checks it against its key. @throws FormatError */
export function decodeSettledRow(row: Uint8Array, value: Uint8Array): SettledConflict {
  const { key, timestamp, origin } = parseSettledRow(row);
  const conflict = decodeSettled(value);
  const { record } = conflict;
  if (record.key !== key || record.timestamp !== timestamp || record.origin !== origin) {
    throw new FormatError("settled conflict lies under another version");
  }
  return conflict;
}

async function readConflicted(iterator: EngineIterator, countMax: number): Promise<ScanResult> {
  const keys: KeyText[] = [];
  const done = await readRows(iterator, countMax, (row) => {
    keys.push(keyOfRow(row));
    return keys.length < countMax;
  });
  return { kind: "conflicted", keys, done };
}
