const EMPTY = new Uint8Array(0);
/** Shifts that keep a varint within what `<<` can do without losing bits. */
const SMALL_SHIFT_MAX = 21;

/**
 * Reads what clients usually send: short varints, fields that lie within their message, text of ASCII. Everything else
 * is answered with a mark, -1 or `undefined`, and left to the generated code, which knows all of the format.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  /** Where the next field begins. */
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next byte, if it lies before `end`; a field's tag where its number is under 16. Else -1. */
  byte(end: number): number {
    if (this.position >= end) return -1;
    const byte = this.#bytes[this.position]!;
    this.position += 1;
    return byte;
  }

  /** A varint of up to four bytes; -1: longer than that, or cut. */
  smallVarint(end: number): number {
    let value = 0;
    for (let shift = 0; shift <= SMALL_SHIFT_MAX && this.position < end; shift += 7) {
      const byte = this.#bytes[this.position]!;
      this.position += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  /** A varint from 0 to 2^32 - 1 in its shortest form or up to five bytes; -1: anything else. */
  uint32(end: number): number {
    const start = this.position;
    const small = this.smallVarint(end);
    if (small >= 0) return small;
    if (start + 5 > end || this.position !== start + 4) return -1;
    const last = this.#bytes[start + 4]!;
    if (last > 0x0f) return -1;
    this.position = start + 5;
    let low = 0;
    for (let index = 0; index < 4; index += 1) low |= (this.#bytes[start + index]! & 0x7f) << (7 * index);
    return low + last * 0x1000_0000;
  }

  /** A bool in its one byte; -1: anything else. */
  bool(end: number): 0 | 1 | -1 {
    const byte = this.byte(end);
    return byte === 0 || byte === 1 ? byte : -1;
  }

  /** Where a field ends whose length comes next; -1: not within `end`. Its bytes begin at `position`. */
  fieldEnd(end: number): number {
    const length = this.smallVarint(end);
    if (length < 0) return -1;
    const fieldEnd = this.position + length;
    return fieldEnd > end ? -1 : fieldEnd;
  }

  /** A field of bytes as a view; undefined: it does not lie within `end`. */
  bytes(end: number): Uint8Array | undefined {
    const fieldEnd = this.fieldEnd(end);
    return fieldEnd < 0 ? undefined : this.view(fieldEnd);
  }

  /** The bytes up to `end` as a view, which may be empty. A plain one, whatever the whole is. */
  view(end: number): Uint8Array {
    const start = this.position;
    this.position = end;
    if (start === end) return EMPTY;
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, end - start);
  }

  /** A field of text; undefined: it does not lie within `end`, or is not all ASCII. */
  ascii(end: number): string | undefined {
    const fieldEnd = this.fieldEnd(end);
    if (fieldEnd < 0) return undefined;
    let text = "";
    for (let index = this.position; index < fieldEnd; index += 1) {
      const byte = this.#bytes[index]!;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    this.position = fieldEnd;
    return text;
  }
}
