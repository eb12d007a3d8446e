/** Entries as JSON. Bytes that are text in UTF-8 show as text, all others as base64. */
import { type Entry, MeshkvError, timestampMs, type Timestamp } from "@meshkv/protocol";

/** The media type of an entry with everything about it. */
export const ENTRY_TYPE = "application/vnd.meshkv.entry+json";

/** How bytes are written in JSON. */
export type Encoding = "utf8" | "base64";

/** An entry, or a record among conflicts and events, as JSON. */
export interface EntryJson {
  key: string;
  /** Only where the key is no text. */
  keyEncoding?: "base64";
  value?: string;
  encoding?: Encoding;
  version: string;
  origin: string;
  updateTime?: string;
  expireTime?: string;
  conflicts?: number;
  deleted?: true;
  settled?: true;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as a text and how it is written. */
export function textOf(bytes: Uint8Array): { readonly text: string; readonly encoding: Encoding } {
  try {
    return { text: UTF8.decode(bytes), encoding: "utf8" };
  } catch {
    const { buffer, byteOffset, byteLength } = bytes;
    return { text: Buffer.from(buffer, byteOffset, byteLength).toString("base64"), encoding: "base64" };
  }
}

/** The bytes of a text; INVALID_ARGUMENT that names the field when it is not what the encoding says. */
export function bytesOf(text: string, encoding: Encoding | undefined, field: string): Uint8Array {
  if (encoding !== "base64") {
    if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text, "utf8");
    const wrong = `${field}: holds half of a character, which UTF-8 cannot carry: send it as base64`;
    throw new MeshkvError("INVALID_ARGUMENT", wrong, { field });
  }
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "")) return bytes;
  throw new MeshkvError("INVALID_ARGUMENT", `${field}: is no base64`, { field });
}

/** A key as JSON. */
export function keyJson(key: Uint8Array): Pick<EntryJson, "key" | "keyEncoding"> {
  const { text, encoding } = textOf(key);
  return encoding === "utf8" ? { key: text } : { key: text, keyEncoding: "base64" };
}

/** A point in time as ISO 8601. */
export function timeJson(time: Timestamp | undefined): string | undefined {
  return time === undefined ? undefined : new Date(timestampMs(time)).toISOString();
}

/** An entry as JSON; `withValue` is false in lists of keys. */
export function entryJson(entry: Entry, withValue = true): EntryJson {
  const json: EntryJson = { ...keyJson(entry.key), version: entry.version, origin: entry.origin };
  if (withValue && !entry.deleted) {
    const { text, encoding } = textOf(entry.value);
    json.value = text;
    json.encoding = encoding;
  }
  const [updated, expires] = [timeJson(entry.updateTime), timeJson(entry.expireTime)];
  if (updated !== undefined) json.updateTime = updated;
  if (expires !== undefined) json.expireTime = expires;
  if (entry.deleted) json.deleted = true;
  if (entry.settled) json.settled = true;
  json.conflicts = entry.conflictCount;
  return json;
}
