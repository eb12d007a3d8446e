/** Keys and values between bytes and what stands on a command line, in a line of output, or in JSON. */
import { Buffer } from "node:buffer";
import { MeshkvError } from "@meshkv/protocol";

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How the texts of a JSON object stand for bytes. */
export type ByteEncoding = "utf8" | "base64";

/**
 * The bytes that an argument stands for: its UTF-8, or what its base64 says. Throws INVALID_ARGUMENT.
 * @param name what the argument is called, for the message.
 */
export function bytesFromArgument(text: string, isBase64: boolean, name: string): Uint8Array {
  if (isBase64) return bytesFromBase64(text, name);
  // Node has already replaced what was not UTF-8 by this character: another key would be written without a word.
  if (text.includes("\ufffd")) {
    throw new MeshkvError("INVALID_ARGUMENT", `the ${name} is not UTF-8: give it in base64, with --base64`);
  }
  return Buffer.from(text, "utf8");
}

/** The bytes of base64, standard or for URLs, with or without padding. Throws INVALID_ARGUMENT. */
export function bytesFromBase64(text: string, name: string): Uint8Array {
  const plain = text
    .trim()
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replace(/={1,2}$/, "");
  const bytes = Buffer.from(plain, "base64");
  // Node skips what is not base64: only what comes out again as it went in was base64.
  if (bytes.toString("base64").replace(/={1,2}$/, "") === plain) return bytes;
  throw new MeshkvError("INVALID_ARGUMENT", `the ${name} is not base64: ${JSON.stringify(cut(text))}`);
}

/** The text of bytes that are UTF-8, else undefined. */
export function utf8TextOf(bytes: Uint8Array): string | undefined {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Base64 with padding. */
export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/**
 * Bytes as part of a line: control characters, backslashes and bytes that are not UTF-8 are escaped, so that a line
 * stays a line, and nothing in a value can play tricks on the terminal.
 */
export function lineTextOf(bytes: Uint8Array): string {
  const text = utf8TextOf(bytes);
  if (text !== undefined) return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\\]/gu, escapeCharacter);
  return Array.from(bytes, (byte) =>
    byte < 0x80 ? String.fromCharCode(byte).replace(/[\p{Cc}\\]/u, escapeCharacter) : hexEscape(byte),
  ).join("");
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\\", "\\\\"],
]);

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return (
    SHORT_ESCAPES.get(character) ??
    (code < 0x80 ? hexEscape(code) : `\\u${code.toString(16).padStart(4, "0")}`)
  );
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** A key as it may stand in a message: quoted, escaped, cut. */
export function quoteBytes(bytes: Uint8Array): string {
  return `"${cut(lineTextOf(bytes))}"`;
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
