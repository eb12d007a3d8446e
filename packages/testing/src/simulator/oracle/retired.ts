/** Losers whose retention has ended (rule X1). */
import { type Entry, isSameWrite, type Timestamp, type WriteRecord } from "@meshkv/core";
import type { Issued } from "./registry.ts";

/**
 * Marks the losers that an entry shows no more, and was entitled to drop. From then on nobody can tell by that replica
 * whether a later author had seen them: it had them, and has something later instead.
 * @param ended up to where retention and horizon let losers go
 */
export function markRetired(
  before: Entry | undefined,
  after: Entry | undefined,
  ended: Timestamp,
  find: (record: WriteRecord) => Issued | undefined,
): void {
  if (before === undefined || after === undefined) return;
  const kept = [after.winner, ...after.siblings];
  for (const loser of before.siblings) {
    if (loser.isDelete || loser.timestamp > ended || kept.some((one) => isSameWrite(one, loser))) continue;
    const issued = find(loser);
    if (issued !== undefined) issued.original.isRetired = true;
  }
}
