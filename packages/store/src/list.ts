/** Pages of entries for clients. */
import type { Entry, KeyText } from "@meshkv/core";
import type { EngineIterator, EngineRange } from "./engine.ts";
import { readRows, STEP_BYTES } from "./read-rows.ts";
import { entryRow, keyAfter, TABLE, tableEnd, tableStart } from "./row-keys.ts";
import { decodeEntryRow, decodeRow } from "./scan.ts";

/** Rows that one page may look at, so that a range full of tombstones cannot hold the reader for long. */
const ROWS_EXAMINED_MAX = 20_000;

/** What a page of entries holds. */
export interface ListRequest {
  /** First key, included; undefined: from the least key. */
  readonly start?: KeyText | undefined;
  /** Key to stop at, excluded; undefined: to the greatest key. */
  readonly end?: KeyText | undefined;
  /** From the greatest key down. */
  readonly reverse?: boolean | undefined;
  /** Entries of a page, at least 1. */
  readonly limit: number;
  /** Bytes of keys and values after which a page ends; at least one entry is returned. */
  readonly bytesMax: number;
  /** Which entries count; all when it is missing. Called once per entry, in order. */
  readonly keep?: ((entry: Entry) => boolean) | undefined;
  /** Rows looked at, kept or not; 20,000 when it is missing. A page may be short, or empty, for that reason. */
  readonly rowsMax?: number | undefined;
}

/** A page of entries. */
export interface ListResult {
  /** In key order, descending when that was asked for. */
  readonly entries: readonly Entry[];
  /** Where the next page goes on: its `start` (reverse: its `end`). Undefined when nothing more lies in the range. */
  readonly resume: KeyText | undefined;
}

/** The engine range of a page. */
export function rangeOfList(generation: number, request: ListRequest): EngineRange {
  return {
    gte:
      request.start === undefined ? tableStart(generation, TABLE.entry) : entryRow(generation, request.start),
    lt: request.end === undefined ? tableEnd(generation, TABLE.entry) : entryRow(generation, request.end),
    reverse: request.reverse === true,
    highWaterMarkBytes: STEP_BYTES,
  };
}

/** Reads a page from an iterator over its range, and closes the iterator. @throws DamagedRowError */
export async function readList(iterator: EngineIterator, request: ListRequest): Promise<ListResult> {
  const entries: Entry[] = [];
  const rowsMax = request.rowsMax ?? ROWS_EXAMINED_MAX;
  let bytes = 0;
  let rows = 0;
  let lastKey: KeyText | undefined;
  const isExhausted = await readRows(iterator, request.limit + 1, (row, value) => {
    if (entries.length >= request.limit || bytes >= request.bytesMax || rows >= rowsMax) return false;
    const entry = decodeRow(row, () => decodeEntryRow(row, value));
    const { winner } = entry;
    rows += 1;
    lastKey = winner.key;
    if (request.keep === undefined || request.keep(entry)) {
      entries.push(entry);
      bytes += winner.key.length + winner.value.length;
    }
    return true;
  });
  if (isExhausted || lastKey === undefined) return { entries, resume: undefined };
  return { entries, resume: request.reverse === true ? lastKey : keyAfter(lastKey) };
}
