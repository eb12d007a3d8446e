import { type Entry, KeyValue, type ListRequestSchema, type MessageInitShape } from "@meshkv/protocol";
import type { Connection } from "./connection.ts";

/** Entries asked for at a time: what servers send by default. */
const PAGE_SIZE = 1000;

/** The pages of a list, up to `limit` entries in all. A page may come from another replica than the one before. */
export async function* listEntries(
  connection: Connection,
  request: MessageInitShape<typeof ListRequestSchema>,
  limit: number,
): AsyncGenerator<readonly Entry[]> {
  let remaining = limit;
  let pageToken = "";
  while (remaining > 0) {
    const page = { ...request, pageToken, pageSize: Math.min(remaining, PAGE_SIZE) };
    const { entries, nextPageToken } = await connection.call(KeyValue.method.list, page, "read");
    yield entries;
    remaining -= entries.length;
    if (nextPageToken === "") return;
    pageToken = nextPageToken;
  }
}
