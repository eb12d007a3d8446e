/** Events of a watch as lines of text and as JSON. */
import type { WatchEvent } from "@meshkv/client";
import { base64Of, lineTextOf } from "./byte-text.ts";
import { type EntryJson, entryToJson, type Shown } from "./entry-output.ts";

/** How events are shown. */
export interface EventFormat {
  readonly json: boolean;
  readonly base64: boolean;
}

/** One event as JSON shows it. */
export interface EventJson {
  /** `put`, `delete`, `expire` or `conflict`. */
  readonly type: string;
  /** The key's winner; without a value when it is gone. */
  readonly entry: EntryJson;
  /** What was replaced, when it was asked for; the loser of a conflict. */
  readonly previous?: EntryJson;
  /** Replica id of the writer. */
  readonly origin: string;
  /** Where a watch goes on after this event; only where that is known. */
  readonly resume?: string;
}

/** A change of a key: every event but `synced`. */
export type ChangeEvent = Exclude<WatchEvent<Uint8Array>, { readonly type: "synced" }>;

/** An event as one line without its newline: type, a tab, key, and for puts a tab and the value; or as JSON. */
export function eventLine(event: ChangeEvent, format: EventFormat): string {
  if (format.json) return JSON.stringify(eventToJson(event, format));
  const show = format.base64 ? base64Of : lineTextOf;
  const { entry, previous } = partsOf(event);
  const parts = [event.type, show(event.keyBytes)];
  if (entry.value !== undefined) parts.push(show(entry.value));
  if (previous !== undefined) parts.push(show(previous.value ?? new Uint8Array()));
  return parts.join("\t");
}

function eventToJson(event: ChangeEvent, { base64 }: EventFormat): EventJson {
  const { entry, previous } = partsOf(event);
  const { type, origin, resume } = event;
  const keysOnly = entry.value === undefined;
  return {
    type,
    entry: entryToJson(entry, { json: true, base64, keysOnly }),
    ...(previous && { previous: entryToJson(previous, { json: true, base64, keysOnly: false }) }),
    origin,
    ...(resume !== undefined && { resume }),
  };
}

/** The key's winner, without a value when it is gone; and what was replaced, or has lost. */
function partsOf(event: ChangeEvent): { readonly entry: Shown; readonly previous: Shown | undefined } {
  if (event.type === "conflict") return { entry: event.winner, previous: event.loser };
  if (event.type === "put") return { entry: event, previous: event.previous };
  const { key, keyBytes, version, expireTime, conflicts, updateTime, origin } = event;
  const entry = { key, keyBytes, version, expireTime, conflicts, updateTime, origin };
  return { entry, previous: event.previous };
}
