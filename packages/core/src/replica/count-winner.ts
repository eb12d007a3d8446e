import type { Digest } from "../digest.ts";
import type { Entry } from "../entry.ts";

/** Counts an entry's winner in a digest, or takes it out: puts without a deadline, which all replicas have alike (E1). */
export function countWinner(digest: Digest, entry: Entry | undefined, direction: "add" | "remove"): void {
  if (entry === undefined || entry.winner.isDelete || entry.winner.expiresAtMs > 0) return;
  const { key, timestamp, origin } = entry.winner;
  if (direction === "add") digest.add(key, timestamp, origin);
  else digest.remove(key, timestamp, origin);
}
