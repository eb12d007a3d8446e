/** Entries as lines of text and as JSON. */
import { type Entry, type Timestamp, timestampMs } from "@meshkv/protocol";
import { base64Of, type ByteEncoding, lineTextOf, utf8TextOf } from "./byte-text.ts";

/** How entries are shown. */
export interface EntryFormat {
  readonly json: boolean;
  /** Keys and values in base64, whatever they are. */
  readonly base64: boolean;
  /** Without values. */
  readonly keysOnly: boolean;
}

/** One entry as JSON shows it; `encoding` holds for key and value. */
export interface EntryJson {
  readonly key: string;
  /** Absent when only keys were asked for. */
  readonly value?: string;
  readonly encoding: ByteEncoding;
  readonly version: string;
  /** RFC 3339; null: never. */
  readonly expireTime: string | null;
  /** Number of concurrent writes that lost and have not been settled. */
  readonly conflicts: number;
  /** RFC 3339, by the writer's clock. */
  readonly updateTime: string | null;
  /** Replica id of the writer. */
  readonly origin: string;
}

/** An entry as a JSON object. */
export function entryToJson(entry: Entry, { base64, keysOnly }: EntryFormat): EntryJson {
  const texts = base64 ? undefined : utf8Texts(entry);
  return {
    key: texts?.key ?? base64Of(entry.key),
    ...(keysOnly ? {} : { value: texts?.value ?? base64Of(entry.value) }),
    encoding: texts === undefined ? "base64" : "utf8",
    version: entry.version,
    expireTime: timeText(entry.expireTime),
    conflicts: entry.conflictCount,
    updateTime: timeText(entry.updateTime),
    origin: entry.origin,
  };
}

/** An entry as one line without its newline: key, a tab, value; or as JSON. */
export function entryLine(entry: Entry, format: EntryFormat): string {
  if (format.json) return JSON.stringify(entryToJson(entry, format));
  const show = format.base64 ? base64Of : lineTextOf;
  return format.keysOnly ? show(entry.key) : `${show(entry.key)}\t${show(entry.value)}`;
}

/** Both texts, if both are UTF-8: one encoding holds for the whole object. */
function utf8Texts(entry: Entry): { readonly key: string; readonly value: string } | undefined {
  const key = utf8TextOf(entry.key);
  const value = utf8TextOf(entry.value);
  return key === undefined || value === undefined ? undefined : { key, value };
}

function timeText(time: Timestamp | undefined): string | null {
  return time === undefined ? null : new Date(timestampMs(time)).toISOString();
}
