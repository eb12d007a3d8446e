/**
 * Growing writer and checked reader for the canonical byte formats of the core. Integers are big-endian, so that
 * encoded positions sort as numbers do; lengths are varints.
 */
import { type KeyText, keyTextWithin, putKeyText } from "./ids.ts";
import { invariant, InvariantError } from "./invariant.ts";

/** Bytes that do not follow their format: an expected outcome of reading from disk or network. */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Ids that were read last, each at the place that its low bits say; a power of two. */
const ID_PLACES = 1024;
const KNOWN_IDS = Array.from({ length: ID_PLACES }, () => ({ high: 0, low: 0, text: "0".repeat(16) }));

const NOTHING = new Uint8Array(0);
/** Nothing larger is written in the buffer that writers pass on. */
const SPARE_BYTES = 8192;
/** The buffer that no writer has now. */
let spare: Uint8Array | undefined = new Uint8Array(SPARE_BYTES);

/** Appends values to a buffer that grows as needed. One buffer goes from writer to writer: make, write, finish. */
export class ByteWriter {
  #bytes: Uint8Array;
  #isSpare = false;
  readonly #isGiven: boolean;
  #length = 0;

  /** @param target how many bytes to make room for, or the bytes to be written to as long as they suffice */
  constructor(target: number | Uint8Array = 256) {
    this.#isGiven = typeof target !== "number";
    if (typeof target !== "number") {
      this.#bytes = target;
    } else if (spare === undefined || target > SPARE_BYTES) {
      this.#bytes = new Uint8Array(target);
    } else {
      this.#bytes = spare;
      this.#isSpare = true;
      spare = undefined;
    }
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  #reserve(more: number): number {
    const at = this.#length;
    const needed = at + more;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      if (this.#isSpare) spare = this.#bytes;
      this.#isSpare = false;
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }

  /** An integer from 0 to 255. */
  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  /** An integer from 0 to 2^32 - 1, big-endian. */
  u32(value: number): this {
    const at = this.#reserve(4);
    putU32(this.#bytes, at, value);
    return this;
  }

  /** A non-negative safe integer in 8 bytes. */
  u64(value: number): this {
    if (!(Number.isSafeInteger(value) && value >= 0)) refuse("not an unsigned safe integer", value);
    const at = this.#reserve(8);
    putU64(this.#bytes, at, value);
    return this;
  }

  /** A non-negative safe integer as LEB128: 1 to 8 bytes. */
  varint(value: number): this {
    if (!(Number.isSafeInteger(value) && value >= 0)) refuse("not an unsigned safe integer", value);
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }

  /** An id of 16 hex digits in 8 bytes. */
  id(id: string): this {
    if (id.length !== 16) refuse("not an id", id);
    const at = this.#reserve(8);
    putId(this.#bytes, at, id);
    return this;
  }

  /** Bytes as they are, without their length. */
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Bytes with their length before them. */
  blob(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** A text with one character per byte, with its length before it. */
  key(key: KeyText): this {
    this.varint(key.length);
    const at = this.#reserve(key.length);
    putKeyText(this.#bytes, at, key);
    return this;
  }

  /** Text as UTF-16 code units (each a varint), with its count before it: for short names and addresses. */
  text(text: string): this {
    this.varint(text.length);
    for (let index = 0; index < text.length; index += 1) this.varint(text.charCodeAt(index));
    return this;
  }

  /** Overwrites four bytes that were written earlier. */
  patchU32(at: number, value: number): void {
    invariant(at + 4 <= this.#length, "patch beyond the end");
    putU32(this.#bytes, at, value);
  }

  /** The bytes written so far, as a view that holds until something more is written, or {@link finish} is called. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The bytes that were written, in a buffer of their own, or in that which was given. The writer is of no more use. */
  finish(): Uint8Array {
    const bytes = this.#bytes;
    this.#bytes = NOTHING;
    if (this.#isSpare) {
      spare = bytes;
      return bytes.slice(0, this.#length);
    }
    // The spare buffer went away with a writer that was not finished.
    if (!this.#isGiven) spare ??= new Uint8Array(SPARE_BYTES);
    return bytes.subarray(0, this.#length);
  }
}

/** The words of a refusal are made only when there is one. */
function refuse(what: string, value: number | string): never {
  throw new InvariantError(`${what}: ${value}`);
}

/** Writes an integer from 0 to 2^32 - 1, big-endian. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a non-negative safe integer in 8 bytes, big-endian. */
export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, Math.floor(value / 0x1_0000_0000));
  putU32(bytes, at + 4, value >>> 0);
}

/** Writes an id of 16 hex digits in 8 bytes. */
export function putId(bytes: Uint8Array, at: number, id: string): void {
  for (let index = 0; index < 8; index += 1) {
    const high = hexValue(id.charCodeAt(index * 2));
    const low = hexValue(id.charCodeAt(index * 2 + 1));
    bytes[at + index] = (high << 4) | low;
  }
}

function hexValue(code: number): number {
  return code <= 57 ? code - 48 : code - 87;
}

/** Bytes that a {@link ByteWriter.varint} takes. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Reads values in the order in which a {@link ByteWriter} wrote them; throws {@link FormatError} at any misfit. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Bytes that have not been read. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new FormatError("bytes end too early");
    this.#at = at + count;
    return at;
  }

  /** An integer from 0 to 255. */
  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  /** An integer of 8 bytes; refuses what is no safe integer. */
  u64(): number {
    const value = this.u32() * 0x1_0000_0000 + this.u32();
    if (!Number.isSafeInteger(value)) throw new FormatError("integer beyond 53 bits");
    return value;
  }

  /** A safe integer of 1 to 8 bytes; refuses any form but the shortest. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value) || (byte === 0 && count > 0))
          throw new FormatError("varint not canonical");
        return value;
      }
      scale *= 0x80;
    }
    throw new FormatError("varint too long");
  }

  /** An id of 8 bytes as 16 lowercase hex digits. */
  id(): string {
    const high = this.u32();
    const low = this.u32();
    // A mesh has few ids, and they are met all the time: the text of one that was met is used again.
    const place = low & (ID_PLACES - 1);
    const known = KNOWN_IDS[place];
    if (known !== undefined && known.low === low && known.high === high) return known.text;
    const text = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
    KNOWN_IDS[place] = { high, low, text };
    return text;
  }

  /** A view of the next bytes. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** A view of bytes that have their length before them. */
  blob(): Uint8Array {
    return this.raw(this.varint());
  }

  /** A key with its length before it. */
  key(): KeyText {
    const length = this.varint();
    const at = this.#take(length);
    return keyTextWithin(this.#bytes, at, at + length);
  }

  /** Reads a key, and says whether it is this one: no text is made of it. */
  isKey(key: KeyText): boolean {
    const length = this.varint();
    const at = this.#take(length);
    if (length !== key.length) return false;
    for (let index = 0; index < length; index += 1) {
      if (this.#bytes[at + index] !== key.charCodeAt(index)) return false;
    }
    return true;
  }

  /** Text as {@link ByteWriter.text} wrote it. */
  text(): string {
    const count = this.varint();
    if (count > this.remaining) throw new FormatError("bytes end too early");
    let text = "";
    for (let index = 0; index < count; index += 1) {
      const unit = this.varint();
      if (unit > 0xffff) throw new FormatError("not a code unit");
      text += String.fromCharCode(unit);
    }
    return text;
  }

  /** A count of items of which each takes at least `bytesEach` bytes: refuses counts that cannot be true. */
  count(bytesEach: number): number {
    const count = this.varint();
    if (count * bytesEach > this.remaining) throw new FormatError("count beyond the end");
    return count;
  }

  /** Refuses bytes that are left over. */
  end(): void {
    if (this.remaining !== 0) throw new FormatError("bytes left over");
  }
}
