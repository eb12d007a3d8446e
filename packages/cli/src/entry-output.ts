/** Entries as lines of text and as JSON. */
import type { KeyInfo } from "@meshkv/client";
import { base64Of, type ByteEncoding, lineTextOf, utf8TextOf } from "./byte-text.ts";

/** An entry, or a key of which only that much is known. */
export interface Shown extends KeyInfo {
  readonly value?: Uint8Array | undefined;
}

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
export function entryToJson(entry: Shown, { base64, keysOnly }: EntryFormat): EntryJson {
  const texts = base64 ? undefined : utf8Texts(entry);
  return {
    key: texts?.key ?? base64Of(entry.keyBytes),
    ...(keysOnly ? {} : { value: texts?.value ?? base64Of(entry.value ?? NO_VALUE) }),
    encoding: texts === undefined ? "base64" : "utf8",
    version: entry.version,
    expireTime: timeText(entry.expireTime),
    conflicts: entry.conflicts,
    updateTime: timeText(entry.updateTime),
    origin: entry.origin,
  };
}

/** An entry as one line without its newline: key, a tab, value; or as JSON. */
export function entryLine(entry: Shown, format: EntryFormat): string {
  if (format.json) return JSON.stringify(entryToJson(entry, format));
  const show = format.base64 ? base64Of : lineTextOf;
  return format.keysOnly ? show(entry.keyBytes) : `${show(entry.keyBytes)}\t${show(entry.value ?? NO_VALUE)}`;
}

const NO_VALUE = new Uint8Array();

/** Both texts, if both are UTF-8: one encoding holds for the whole object. */
function utf8Texts(entry: Shown): { readonly key: string; readonly value: string } | undefined {
  const key = utf8TextOf(entry.keyBytes);
  const value = utf8TextOf(entry.value ?? NO_VALUE);
  return key === undefined || value === undefined ? undefined : { key, value };
}

function timeText(time: Date | undefined): string | null {
  return time === undefined ? null : time.toISOString();
}
