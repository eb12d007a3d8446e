/** Winners and losers as lines of text and as JSON. */
import type { Conflict, ConflictRecord } from "@meshkv/client";
import { base64Of, lineTextOf } from "./byte-text.ts";
import { entryToJson, type EntryJson } from "./entry-output.ts";

/** A write among others of its key, as JSON shows it. */
interface CompetitorJson extends EntryJson {
  readonly deleted: boolean;
  readonly settled: boolean;
}

/** A key's conflict as a JSON object. */
export function conflictToJson(
  { winner, losers }: Conflict<Uint8Array>,
  base64: boolean,
): { readonly winner: CompetitorJson | null; readonly losers: readonly CompetitorJson[] } {
  const show = (entry: ConflictRecord<Uint8Array>): CompetitorJson => ({
    ...entryToJson(entry, { json: true, base64, keysOnly: false }),
    deleted: entry.deleted,
    settled: entry.settled,
  });
  return { winner: winner === undefined ? null : show(winner), losers: losers.map(show) };
}

/** A key's conflict as lines: the key, and one for each write. */
export function conflictLines({ keyBytes, winner, losers }: Conflict<Uint8Array>, base64: boolean): string[] {
  const show = base64 ? base64Of : lineTextOf;
  const line = (what: string, entry: ConflictRecord<Uint8Array>): string => {
    const time = entry.updateTime?.toISOString() ?? "-";
    const value = entry.value === undefined ? "(deleted)" : show(entry.value);
    return `  ${what.padEnd(8)}${entry.version}  ${time}  ${entry.origin}  ${value}`;
  };
  return [
    show(keyBytes),
    ...(winner === undefined ? [] : [line("winner", winner)]),
    ...losers.map((loser) => line(loser.settled ? "settled" : "loser", loser)),
  ];
}
