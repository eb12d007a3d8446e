/** What readers of a key are answered. */
import { conflictsOf, type Entry, isExpired, isLive, PAGE_BYTES_MAX, type WriteRecord } from "@meshkv/core";
import {
  entryToMessage,
  type GetResponseSchema,
  type MessageInitShape,
  recordToMessage,
} from "@meshkv/protocol";

/** The reply for one key; `session` is the caller's. */
export function readReply(
  entry: Entry | undefined,
  nowMs: number,
  withConflicts: boolean,
): MessageInitShape<typeof GetResponseSchema> {
  const reply: MessageInitShape<typeof GetResponseSchema> = {};
  if (isLive(entry, nowMs)) reply.entry = entryToMessage(entry);
  if (entry !== undefined && withConflicts) {
    const losers = conflictsOf(entry).filter((loser) => !isExpired(loser, nowMs));
    reply.conflicts = withinPage(losers).map((loser) => recordToMessage(loser));
  }
  return reply;
}

/** Losers as far as a reply holds them, at least one; `conflict_count` tells how many there are. */
function withinPage(losers: readonly WriteRecord[]): readonly WriteRecord[] {
  let bytes = 0;
  const over = losers.findIndex((loser, index) => {
    bytes += loser.value.length;
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return over < 0 ? losers : losers.slice(0, over);
}
