/** What readers of a key are answered. */
import { conflictsOf, type Entry, isExpired, isLive, PAGE_BYTES_MAX, type WriteRecord } from "@meshkv/core";
import {
  type GetResponseSchema,
  type MessageInitShape,
  type ReadResult,
  recordToMessage,
} from "@meshkv/protocol";

const NONE: readonly WriteRecord[] = [];

/** What is read of a key; `session` is the caller's new token. */
export function readResult(
  entry: Entry | undefined,
  nowMs: number,
  withConflicts: boolean,
  session: string,
): ReadResult {
  const live = isLive(entry, nowMs) ? entry : undefined;
  const losers = entry === undefined || entry.siblings.length === 0 ? NONE : conflictsOf(entry);
  return {
    winner: live?.winner,
    conflictCount: live === undefined ? 0 : losers.length,
    conflicts: withConflicts ? withinPage(losers.filter((loser) => !isExpired(loser, nowMs))) : NONE,
    session,
  };
}

/** The same as a message. */
export function readReply({
  winner,
  conflictCount,
  conflicts,
  session,
}: ReadResult): MessageInitShape<typeof GetResponseSchema> {
  return {
    ...(winner === undefined ? {} : { entry: { ...recordToMessage(winner), conflictCount } }),
    ...(conflicts.length === 0 ? {} : { conflicts: conflicts.map((loser) => recordToMessage(loser)) }),
    session,
  };
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
