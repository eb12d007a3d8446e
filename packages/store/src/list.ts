/** Pages of entries for clients. */
import type { Entry, KeyText } from "@meshkv/core";
import type { EngineIterator, EngineRange } from "./engine.ts";
import { STEP_BYTES, STEP_ROWS_MAX } from "./read-rows.ts";
import { entryRow, keyAfter, TABLE, tableEnd, tableStart } from "./row-keys.ts";
import { decodeEntryRow, decodeRow } from "./scan.ts";

/** Rows that one page may look at, so that a range full of tombstones cannot hold the reader for long. */
const ROWS_EXAMINED_MAX = 20_000;
/** Rows that are read at once, at least, where rows that do not count lie among the others. */
const ROWS_AFTER_SKIPS = 100;

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
  const { limit, bytesMax, keep, rowsMax = ROWS_EXAMINED_MAX } = request;
  const entries: Entry[] = [];
  let bytes = 0;
  let rows = 0;
  let lastKey: KeyText | undefined;
  try {
    for (;;) {
      // One more than the page takes, to know whether it is the last. More is read only where some did not count.
      const wanted = limit + 1 - entries.length;
      const step = await iterator.nextv(
        Math.min(rows > entries.length ? Math.max(wanted, ROWS_AFTER_SKIPS) : wanted, STEP_ROWS_MAX),
      );
      if (step.length === 0) return { entries, resume: undefined };
      for (const [row, value] of step) {
        if (entries.length >= limit || bytes >= bytesMax || rows >= rowsMax) {
          if (lastKey === undefined) return { entries, resume: undefined };
          return { entries, resume: request.reverse === true ? lastKey : keyAfter(lastKey) };
        }
        const entry = decodeRow(row, () => decodeEntryRow(row, value));
        const { winner } = entry;
        rows += 1;
        lastKey = winner.key;
        if (keep !== undefined && !keep(entry)) continue;
        entries.push(entry);
        bytes += winner.key.length + winner.value.length;
      }
    }
  } finally {
    await iterator.close();
  }
}
