const HEX = "0123456789abcdef";
const HEX_CODES = Uint8Array.from(HEX, (digit) => digit.charCodeAt(0));

/** Bytes of a varint. `value` is a non-negative safe integer. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  let size = 3;
  for (let rest = Math.floor(value / 0x20_0000); rest > 0; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Bytes of a field with a length before it, and a tag of one byte. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Writes fields of protobuf one after the other into one buffer; `reserve` makes it grow. */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  /** @param capacity bytes for which there is room */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Makes room for so many bytes more: to be called before they are written. */
  reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }

  /** One byte. */
  byte(value: number): void {
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  /** A non-negative safe integer. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** A tag and a number, unless that is 0. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.byte(tag);
    this.varint(value);
  }

  /** A tag and the length of what follows. */
  head(tag: number, length: number): void {
    this.byte(tag);
    this.varint(length);
  }

  /** A field of bytes, unless there are none. */
  bytes(tag: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.head(tag, value.length);
    this.raw(value);
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A field of text with one byte per character, unless it is empty. */
  latin1(tag: number, text: string): void {
    if (text.length === 0) return;
    this.head(tag, text.length);
    this.characters(text);
  }

  /** Characters below 256, one byte each. */
  characters(text: string): void {
    const bytes = this.#bytes;
    const at = this.#length;
    for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index);
    this.#length = at + text.length;
  }

  /** A non-negative safe integer as 16 hex digits. */
  hex16(value: number): void {
    const bytes = this.#bytes;
    const at = this.#length;
    let low = value >>> 0;
    let high = (value - low) / 0x1_0000_0000;
    for (let index = 15; index >= 8; index -= 1, low >>>= 4) bytes[at + index] = HEX_CODES[low & 15]!;
    for (let index = 7; index >= 0; index -= 1, high >>>= 4) bytes[at + index] = HEX_CODES[high & 15]!;
    this.#length = at + 16;
  }

  /** What was written, as a view. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
