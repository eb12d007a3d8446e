/**
 * Where the next page of a list begins. The token says all of it, so that any replica can take it, also after a
 * restart: the last key of the page, and which query it belongs to.
 *
 * ```
 * token       = base64url(u8 version (1), u32 fingerprint, last key, u32 checksum)
 * fingerprint = CRC-32C of the query: prefix, start, end, direction, kind; page size and keys only may change on the way
 * checksum    = CRC-32C of all before it
 * ```
 */
import {
  ByteReader,
  ByteWriter,
  crc32c,
  FormatError,
  KEY_BYTES_MAX,
  type KeyText,
  keyTextFromBytes,
  keyTextToBytes,
} from "@meshkv/core";

const VERSION = 1;
const OVERHEAD_BYTES = 1 + 4 + 4;
/** No token is longer; nothing beyond is decoded. */
const TOKEN_CHARS_MAX = Math.ceil(((KEY_BYTES_MAX + OVERHEAD_BYTES) * 4) / 3);

/** What makes two requests pages of one list. */
export interface PagedQuery {
  readonly prefix: Uint8Array;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly reverse: boolean;
  /** Set in lists of conflicts, so that their tokens and those of entries are not mixed up. */
  readonly conflicts?: "unsettled" | "all";
}

/** The last key of the page before, or what is wrong with the token. */
export type PageTokenResult = { readonly last: KeyText } | { readonly problem: string };

function fingerprint({ prefix, start, end, reverse, conflicts }: PagedQuery): number {
  const kind = conflicts === undefined ? 0 : conflicts === "unsettled" ? 2 : 4;
  const writer = new ByteWriter(prefix.length + start.length + end.length + 8);
  return crc32c(
    writer
      .blob(prefix)
      .blob(start)
      .blob(end)
      .u8(kind + (reverse ? 1 : 0))
      .finish(),
  );
}

/** Makes the token for what comes after `last`. */
export function encodePageToken(query: PagedQuery, last: KeyText): string {
  const writer = new ByteWriter(OVERHEAD_BYTES + last.length);
  writer.u8(VERSION).u32(fingerprint(query)).raw(keyTextToBytes(last));
  const checksum = crc32c(writer.written());
  return Buffer.from(writer.u32(checksum).finish()).toString("base64url");
}

/** Reads a token that a client sent. Never throws. */
export function decodePageToken(query: PagedQuery, token: string): PageTokenResult {
  const garbled = { problem: "is no token that a list has answered: send next_page_token as it came" };
  if (token.length > TOKEN_CHARS_MAX) return garbled;
  const bytes = Buffer.from(token, "base64url");
  // The decoder passes over what is not base64url.
  if (bytes.toString("base64url") !== token || bytes.length <= OVERHEAD_BYTES) return garbled;
  try {
    const reader = new ByteReader(bytes);
    const version = reader.u8();
    const print = reader.u32();
    const last = reader.raw(reader.remaining - 4);
    if (reader.u32() !== crc32c(bytes, 0, bytes.length - 4)) return garbled;
    if (version !== VERSION) return { problem: "comes from another version of meshkv: list from the start" };
    if (print !== fingerprint(query)) {
      return {
        problem:
          "belongs to another list: keep prefix, start, end and reverse as they were, or list from the start",
      };
    }
    return { last: keyTextFromBytes(last) };
  } catch (error) {
    if (error instanceof FormatError) return garbled;
    throw error;
  }
}
