/** Events of a watch as lines of text and as JSON. */
import { type WatchEvent, WatchEvent_Type } from "@meshkv/protocol";
import { base64Of, lineTextOf } from "./byte-text.ts";
import { type EntryJson, entryToJson } from "./entry-output.ts";

/** How events are shown. */
export interface EventFormat {
  readonly json: boolean;
  readonly base64: boolean;
}

const WORDS: Readonly<Record<number, string>> = {
  [WatchEvent_Type.PUT]: "put",
  [WatchEvent_Type.DELETE]: "delete",
  [WatchEvent_Type.EXPIRE]: "expire",
  [WatchEvent_Type.CONFLICT]: "conflict",
};

/** One event as JSON shows it. */
export interface EventJson {
  /** `put`, `delete`, `expire` or `conflict`. */
  readonly type: string;
  /** The key's winner; without a value when it is gone. */
  readonly entry?: EntryJson;
  /** What was replaced, when it was asked for; the loser of a conflict. */
  readonly previous?: EntryJson;
  /** Replica id of the writer. */
  readonly origin: string;
  /** Where a watch goes on after this event; only where that is known. */
  readonly resume?: string;
}

/** An event as one line without its newline: type, a tab, key, and for puts a tab and the value; or as JSON. */
export function eventLine(event: WatchEvent, format: EventFormat, resume: string | undefined): string {
  if (format.json) return JSON.stringify(eventToJson(event, format, resume));
  const show = format.base64 ? base64Of : lineTextOf;
  const { entry, previous } = event;
  const parts = [WORDS[event.type] ?? "unknown"];
  if (entry !== undefined) parts.push(show(entry.key));
  if (entry !== undefined && !isGone(event)) parts.push(show(entry.value));
  if (previous !== undefined) parts.push(show(previous.value));
  return parts.join("\t");
}

function eventToJson(event: WatchEvent, { base64 }: EventFormat, resume: string | undefined): EventJson {
  const { entry, previous, origin } = event;
  return {
    type: WORDS[event.type] ?? "unknown",
    ...(entry && { entry: entryToJson(entry, { json: true, base64, keysOnly: isGone(event) }) }),
    ...(previous && { previous: entryToJson(previous, { json: true, base64, keysOnly: false }) }),
    origin,
    ...(resume !== undefined && { resume }),
  };
}

function isGone({ type, entry }: WatchEvent): boolean {
  return type === WatchEvent_Type.DELETE || type === WatchEvent_Type.EXPIRE || entry?.deleted === true;
}
