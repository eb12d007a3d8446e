/** Keys and prefixes between what callers write and what goes over the wire. */
import { MeshkvError } from "@meshkv/protocol";

/**
 * A key, or the beginning of one: text stands for its UTF-8 bytes; bytes are taken as they are. A key has 1 to 1,024
 * bytes.
 *
 * @example
 * ```ts
 * import { connect, type Key } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const keys: Key[] = ["sensor/1", new Uint8Array([0xff, 0x01])];
 * for (const key of keys) await kv.set(key, true);
 * ```
 */
export type Key = string | Uint8Array;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a key; throws INVALID_ARGUMENT for text that has no UTF-8 form. */
export function keyBytes(key: Key): Uint8Array {
  if (typeof key === "string") {
    // Encoded, halves of characters would all become the same three bytes: different keys would be one.
    if (/\p{Surrogate}/u.test(key)) {
      throw new MeshkvError(
        "INVALID_ARGUMENT",
        `the key ${JSON.stringify(key.slice(0, 80))} has half a character: it is no text; give the key as bytes`,
      );
    }
    return ENCODER.encode(key);
  }
  if (key instanceof Uint8Array) return key;
  throw new MeshkvError("INVALID_ARGUMENT", `a key is text or a Uint8Array, not ${typeof key}`);
}

/** One key after another, as bytes. */
export function joinedKey(prefix: Uint8Array, key: Key): Uint8Array {
  const bytes = keyBytes(key);
  if (prefix.length === 0) return bytes;
  const joined = new Uint8Array(prefix.length + bytes.length);
  joined.set(prefix);
  joined.set(bytes, prefix.length);
  return joined;
}

/** The text of a key. Bytes that are not UTF-8 become U+FFFD. */
export function keyText(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}
