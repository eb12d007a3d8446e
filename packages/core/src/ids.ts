declare const brand: unique symbol;

/** Identity of one durable copy of the data: 16 lowercase hex digits (64 random bits), never used by two copies. */
export type ReplicaId = string & { readonly [brand]: "ReplicaId" };

/** Identity of one process start of a replica: 16 lowercase hex digits, random, durable before use. */
export type StartId = string & { readonly [brand]: "StartId" };

/**
 * A key as text with one character per byte (char codes 0 to 255), so that JavaScript's string order is the byte
 * order and a key can be looked up in a `Map`.
 */
export type KeyText = string & { readonly [brand]: "KeyText" };

/** The start id of a position whose start is not known (it compares as compatible with every start). */
export const UNKNOWN_START = "0000000000000000" as StartId;

const HEX_16 = /^[0-9a-f]{16}$/;

/** Returns the text as a replica id, or undefined when it is not 16 lowercase hex digits. */
export function parseReplicaId(text: string): ReplicaId | undefined {
  return HEX_16.test(text) ? (text as ReplicaId) : undefined;
}

/** Makes an id out of two random 32-bit integers. */
export function idFromWords(high: number, low: number): string {
  return (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0");
}

/** Converts key bytes to a key text. */
export function keyTextFromBytes(bytes: Uint8Array): KeyText {
  return keyTextWithin(bytes, 0, bytes.length);
}

/** Converts the bytes from `start` to before `end` to a key text. */
export function keyTextWithin(bytes: Uint8Array, start: number, end: number): KeyText {
  const { fromCharCode } = String;
  let text = "";
  let at = start;
  // Eight at a time: every addition to a text makes another one.
  for (; at + 8 <= end; at += 8) {
    text += fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    );
  }
  for (; at < end; at += 1) text += fromCharCode(bytes[at]!);
  return text as KeyText;
}

/** Converts a key text back to its bytes. */
export function keyTextToBytes(key: KeyText): Uint8Array {
  const bytes = new Uint8Array(key.length);
  putKeyText(bytes, 0, key);
  return bytes;
}

/** Writes the bytes of a key text from an offset on. */
export function putKeyText(bytes: Uint8Array, at: number, key: KeyText): void {
  for (let index = 0; index < key.length; index += 1) bytes[at + index] = key.charCodeAt(index);
}
