/** Replicas with equal vectors must show the same (rule E1). */
import { type Entry, TIMESTAMP_MAX, timestampToMs } from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { describeRecord } from "../shell.ts";
import { Violation } from "../violation.ts";

/** Compares what two machines serve durably, at one clock reading beyond all deadlines and at one before them. */
export function checkEqual(a: Machine, b: Machine): void {
  const [mine, theirs] = [a, b].map(({ disk }) => disk.tables(disk.current).entries);
  if (mine === undefined || theirs === undefined) return;
  const names = `${a.address} and ${b.address}`;
  for (const key of new Set([...mine.keys(), ...theirs.keys()])) {
    const [left, right] = [visible(mine.get(key)), visible(theirs.get(key))];
    if (left !== right)
      throw new Violation("always-converged", `${names} have equal V; ${key}: ${left} | ${right}`);
  }
}

/** What lives for ever: deadlines may have been forgotten on one side already. */
function visible(entry: Entry | undefined): string {
  if (entry === undefined || entry.winner.isDelete) return "nothing";
  if (entry.winner.expiresAtMs > 0 && entry.winner.expiresAtMs < timestampToMs(TIMESTAMP_MAX))
    return "nothing";
  return describeRecord(entry.winner);
}
