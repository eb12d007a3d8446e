/** How much history a replica keeps for watchers, as people write it: `1h`, `256MiB`, `1h,256MiB` or `off`. */
import { quoteText } from "./address.ts";
import { BOUNDS } from "./setting-limits.ts";
import { parseDuration, parseSize } from "./units.ts";

/** Both bounds hold: the least of the two is kept. 0: nothing. */
export interface HistorySetting {
  readonly historyMs: number;
  readonly historyBytes: number;
}

/** Reads the setting, or says what is wrong and what to write instead. Never throws. */
export function parseHistory(text: string): HistorySetting | { readonly problem: string } {
  if (text.trim() === "off" || text.trim() === "0") return { historyMs: 0, historyBytes: 0 };
  let historyMs: number | undefined;
  let historyBytes: number | undefined;
  for (const part of text.split(",")) {
    const age = parseDuration(part, BOUNDS.historyAge);
    const size = parseSize(part, BOUNDS.historySize);
    if ("value" in age && historyMs === undefined) historyMs = age.value;
    else if ("value" in size && historyBytes === undefined) historyBytes = size.value;
    else return { problem: problemWith(text) };
  }
  return {
    historyMs: historyMs ?? BOUNDS.historyAge.max,
    historyBytes: historyBytes ?? BOUNDS.historySize.max,
  };
}

function problemWith(text: string): string {
  return `${quoteText(text)} is no history: write an age, a size, or both, such as 1h, 256MiB or 1h,256MiB, or off`;
}
