/** How values become bytes: JSON by default, text and raw bytes by choice, checked by a schema where there is one. */
import { MeshkvError } from "@meshkv/protocol";
import type { StandardSchema } from "./standard-schema.ts";

/**
 * How the values of a view are stored. Anything that turns a value into bytes and back will do.
 *
 * @example
 * ```ts
 * import { connect, type ValueFormat } from "@meshkv/client";
 * const dates: ValueFormat<Date> = {
 *   encode: (date) => new TextEncoder().encode(date.toISOString()),
 *   decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
 * };
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.as(dates).set("launch", new Date(0));
 * ```
 */
export interface ValueFormat<V> {
  /** The bytes to store. What it throws reaches the caller of `set`. */
  readonly encode: (value: V) => Uint8Array | Promise<Uint8Array>;
  /** The value of stored bytes; the key is for messages. What it throws reaches the reader. */
  readonly decode: (bytes: Uint8Array, key: string) => V | Promise<V>;
}

/**
 * What the default format takes: whatever `JSON.stringify` can write, which bytes, functions, symbols, `bigint` and
 * `undefined` are not. Bytes belong to `kv.bytes`.
 *
 * @example
 * ```ts
 * import { connect, type Json } from "@meshkv/client";
 * const settings: Json = { theme: "dark", sizes: [1, 2, 3] };
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.set("settings", settings);
 * ```
 */
export type Json = string | number | boolean | null | object;

/**
 * The type itself, unless it is one of the objects that have no JSON form.
 *
 * @example
 * ```ts
 * import { connect, type JsonOnly } from "@meshkv/client";
 * const remember = async <V extends object>(value: JsonOnly<V>): Promise<void> => {
 *   await using kv = await connect("127.0.0.1:4000");
 *   await kv.set("memory", value as object);
 * };
 * await remember({ any: "thing" });
 * ```
 */
export type JsonOnly<V> = V extends ArrayBuffer | ArrayBufferView | ((...args: never[]) => unknown)
  ? never
  : V;

const ENCODER = new TextEncoder();
const STRICT_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function encodeJson(value: unknown): Uint8Array {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) {
    throw new MeshkvError("INVALID_ARGUMENT", "bytes are no JSON: write them through kv.bytes");
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MeshkvError("INVALID_ARGUMENT", `the value has no JSON form: ${reason}`);
  }
  if (text !== undefined) return ENCODER.encode(text);
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `${typeof value} has no JSON form: delete the key, or write null, if there is to be no value`,
  );
}

function decodeText(bytes: Uint8Array, key: string): string {
  try {
    return STRICT_DECODER.decode(bytes);
  } catch {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      `the value of ${shown(key)} is no text: read it through kv.bytes`,
    );
  }
}

function decodeJson(bytes: Uint8Array, key: string): unknown {
  const text = decodeText(bytes, key);
  try {
    return JSON.parse(text);
  } catch {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      `the value of ${shown(key)} is no JSON: read it through kv.text or kv.bytes`,
    );
  }
}

function shown(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 79)}…` : key);
}

/** JSON, unchecked: the type is the caller's word. */
export function jsonFormat<V>(): ValueFormat<V> {
  return { encode: encodeJson, decode: (bytes, key) => decodeJson(bytes, key) as V };
}

/** JSON whose values a schema has checked, on the way in and on the way out. */
export function checkedFormat<V>(schema: StandardSchema<V>): ValueFormat<V> {
  return {
    encode: async (value) => {
      await check(schema, value, "the value");
      return encodeJson(value);
    },
    decode: (bytes, key) => check(schema, decodeJson(bytes, key), `the value of ${shown(key)}`),
  };
}

async function check<V>(schema: StandardSchema<V>, value: unknown, what: string): Promise<V> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const [issue] = result.issues;
  const path = (issue?.path ?? [])
    .map((part) => String(typeof part === "object" ? part.key : part))
    .join(".");
  const where = path === "" ? "" : ` at ${path}`;
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `${what} does not fit its schema${where}: ${issue?.message ?? "no reason given"}`,
  );
}

/**
 * UTF-8 text.
 *
 * @example
 * ```ts
 * import { connect, textFormat } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.prefix("notes/", { format: textFormat }).set("1", "milk");
 * ```
 */
export const textFormat: ValueFormat<string> = {
  encode: (value) => {
    if (typeof value === "string") return ENCODER.encode(value);
    throw new MeshkvError("INVALID_ARGUMENT", `this view holds text, not ${typeof value}`);
  },
  decode: decodeText,
};

/**
 * Bytes as they are.
 *
 * @example
 * ```ts
 * import { bytesFormat, connect } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.prefix("images/", { format: bytesFormat }).set("dot", new Uint8Array([1]));
 * ```
 */
export const bytesFormat: ValueFormat<Uint8Array> = {
  encode: (value) => {
    if (value instanceof Uint8Array) return value;
    throw new MeshkvError("INVALID_ARGUMENT", `this view holds bytes, not ${typeof value}`);
  },
  decode: (bytes) => bytes,
};
