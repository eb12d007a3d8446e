import { type Entry, type KeyText, PAGE_BYTES_MAX, type SessionToken } from "@meshkv/core";
import type { CallInfo } from "./call-info.ts";
import { type KeyRange, rangeAfter } from "./key-range.ts";
import type { LocalReplica } from "./local-replica.ts";

/** What a page is made of. */
export interface PageRequest {
  readonly range: KeyRange;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  /** Entries, at least 1. */
  readonly limit: number;
  /** Is told what is shown, and what is absent between. */
  readonly seen?: SessionToken;
}

/** One page: its items, and the last key when there is more after it. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly continueAfter: KeyText | undefined;
}

/**
 * Reads one page. With values it is one read, at one position. Without, values still pass through memory, so several
 * reads of bounded size fill one page; what changes between them shows as if it had changed between two pages.
 * @param take what to keep of an entry; in a page of keys nothing else may stay, or the values would.
 */
export async function collectPage<Item>(
  replica: LocalReplica,
  request: PageRequest,
  { signal }: CallInfo,
  take: (entry: Entry) => Item,
): Promise<Page<Item>> {
  const { reverse, keysOnly, limit } = request;
  let { range } = request;
  const items: Item[] = [];
  let keyBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const read = await replica.list(
      { ...range, reverse, limit: limit - items.length, bytesMax: PAGE_BYTES_MAX },
      request.seen,
    );
    for (const entry of read.entries) {
      items.push(take(entry));
      keyBytes += entry.winner.key.length;
    }
    const last = read.entries.at(-1)?.winner.key;
    if (!read.more || last === undefined) return { items, continueAfter: undefined };
    if (!keysOnly || items.length >= limit || keyBytes >= PAGE_BYTES_MAX)
      return { items, continueAfter: last };
    range = rangeAfter(range, last, reverse);
  }
}
