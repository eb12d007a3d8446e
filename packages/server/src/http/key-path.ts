/**
 * Keys in paths. A key is any bytes, and routers decode paths as text: so before the router sees it, the rest of
 * `/v1/kv/…` is decoded here, byte by byte, and handed on as one segment of base64url.
 */
import { MeshkvError } from "@meshkv/core";

const KEYS = "/v1/kv/";
/** No base64url: the place that decodes it refuses it. */
const MALFORMED = "!";

/** The URL that the router sees. */
export function routedUrl(url: string): string {
  if (!url.startsWith(KEYS)) return url;
  const end = url.indexOf("?");
  const rest = end < 0 ? url.slice(KEYS.length) : url.slice(KEYS.length, end);
  const bytes = percentDecode(rest);
  const segment = bytes === undefined ? MALFORMED : Buffer.from(bytes).toString("base64url");
  return `${KEYS}${segment}${end < 0 ? "" : url.slice(end)}`;
}

/** The bytes that a percent-encoded text stands for; undefined when it is malformed. */
export function percentDecode(text: string): Uint8Array | undefined {
  const source = Buffer.from(text, "utf8");
  if (!source.includes(0x25)) return source;
  const bytes = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at += 1, length += 1) {
    const byte = source[at]!;
    if (byte !== 0x25) {
      bytes[length] = byte;
      continue;
    }
    const digits = source.toString("latin1", at + 1, at + 3);
    if (!/^[0-9a-f]{2}$/i.test(digits)) return undefined;
    bytes[length] = Number.parseInt(digits, 16);
    at += 2;
  }
  return bytes.subarray(0, length);
}

/** The key of a path segment that {@link routedUrl} or a client made. */
export function keyOfSegment(segment: string, name: string): Uint8Array {
  const bytes = Buffer.from(segment, "base64url");
  if (bytes.toString("base64url") === segment.replace(/=+$/, "")) return bytes;
  const what =
    name === "key"
      ? "a % is not followed by two hex digits: write %25 for the character itself"
      : "is no base64url: encode the bytes of the key with the letters, digits, - and _";
  throw new MeshkvError("INVALID_ARGUMENT", `key: ${what}`, { field: "key" });
}

/** The parameters of a query. Texts are UTF-8, with U+FFFD for what is none; see {@link queryBytesOf} for the bytes. */
export function parseQuery(query: string): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of pairsOf(query)) {
    const text = textOf(value);
    const before = found[name];
    found[name] =
      before === undefined ? text : typeof before === "string" ? [before, text] : [...before, text];
  }
  return found;
}

/** One parameter of a URL as bytes; empty when it is not there. */
export function queryBytesOf(url: string, name: string): Uint8Array {
  const start = url.indexOf("?");
  if (start < 0) return new Uint8Array(0);
  const pair = pairsOf(url.slice(start + 1)).find(([found]) => found === name);
  return pair?.[1] ?? new Uint8Array(0);
}

function pairsOf(query: string): [name: string, value: Uint8Array][] {
  if (query === "") return [];
  return query.split("&").flatMap((pair): [string, Uint8Array][] => {
    if (pair === "") return [];
    const equals = pair.indexOf("=");
    const name = textOf(decodeForm(equals < 0 ? pair : pair.slice(0, equals)));
    return [[name, decodeForm(equals < 0 ? "" : pair.slice(equals + 1))]];
  });
}

/** As forms write it: a plus is a space. What is malformed stands for itself. */
function decodeForm(text: string): Uint8Array {
  const spaced = text.replaceAll("+", " ");
  return percentDecode(spaced) ?? Buffer.from(spaced, "utf8");
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
