/** Replicas with equal vectors must show the same (rule E1). */
import { type Entry, type KeyText, TIMESTAMP_MAX, timestampToMs } from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { describeRecord } from "../shell.ts";
import { Violation } from "../violation.ts";

/** Compares what two machines serve durably, at one clock reading beyond all deadlines and at one before them. */
export function checkEqual(a: Machine, b: Machine): void {
  const [mine, theirs] = [a, b].map(({ disk }) => disk.tables(disk.current).entries);
  if (mine === undefined || theirs === undefined) return;
  const names = `${a.address} and ${b.address}`;
  for (const [key, entry] of mine) compareKey(names, key, entry, theirs.get(key));
  for (const [key, entry] of theirs) if (!mine.has(key)) compareKey(names, key, undefined, entry);
}

function compareKey(names: string, key: KeyText, mine: Entry | undefined, theirs: Entry | undefined): void {
  const [a, b] = [mine?.winner, theirs?.winner];
  if (a?.checksum === b?.checksum && a?.timestamp === b?.timestamp) return;
  const [left, right] = [visible(mine), visible(theirs)];
  if (left !== right)
    throw new Violation("always-converged", `${names} have equal V; ${key}: ${left} | ${right}`);
}

/** What lives for ever: deadlines may have been forgotten on one side already. */
function visible(entry: Entry | undefined): string {
  if (entry === undefined || entry.winner.isDelete) return "nothing";
  if (entry.winner.expiresAtMs > 0 && entry.winner.expiresAtMs < timestampToMs(TIMESTAMP_MAX))
    return "nothing";
  return describeRecord(entry.winner);
}
