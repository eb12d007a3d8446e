/** Reads LevelDB's integers: fixed ones are little-endian, varints have seven bits a byte. */
import { FormatError } from "@meshkv/core";

export class LittleEndianReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  get offset(): number {
    return this.#at;
  }

  skip(count: number): void {
    if (count > this.remaining) throw new FormatError("bytes end too early");
    this.#at += count;
  }

  /** A varint that fits a safe integer. @throws FormatError */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || this.#at >= this.#end) throw new FormatError("bytes end too early");
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
    }
    throw new FormatError("varint too long");
  }

  /** Bytes with their length before them, as a view. @throws FormatError */
  slice(): Uint8Array {
    const length = this.varint();
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, start + length);
  }
}

/** A fixed 32-bit integer at an offset, which the caller has checked. */
export function fixed32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** A fixed 64-bit integer at an offset, which the caller has checked; exact up to 2^53. */
export function fixed64(bytes: Uint8Array, at: number): number {
  return fixed32(bytes, at) + fixed32(bytes, at + 4) * 2 ** 32;
}

/** LevelDB stores checksums rotated and shifted, since a checksum over a checksum is weak. */
export function unmaskChecksum(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Writes a fixed 32-bit integer at an offset, which the caller has checked. */
export function putFixed32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** The inverse of {@link unmaskChecksum}. */
export function maskChecksum(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
