/** Damaged bytes, and how decoders answer them. */
import { FormatError } from "@meshkv/core";
import fc from "fast-check";

/** Whether the decoder takes the bytes; refusing is a FormatError, anything else is thrown on. */
export function isAccepted(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** A copy in which one byte is changed by XOR with `mask` (1 to 255). */
export function withByteChanged(bytes: Uint8Array, index: number, mask: number): Uint8Array {
  const copy = bytes.slice();
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}

/** Random bytes, half of them grown out of a valid encoding by cutting, changing, inserting and repeating. */
export function damagedBytes(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom("change", "cut", "insert", "repeat"),
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 })),
    length: fc.nat({ max: 12 }),
  });
  const grown = fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([start, edits]) => {
    let bytes = [...start];
    for (const { kind, at, byte, length } of edits) {
      const index = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === "change") bytes[index] = byte;
      else if (kind === "cut") bytes.splice(index, length);
      else if (kind === "insert") bytes.splice(index, 0, byte);
      else bytes = [...bytes, ...bytes.slice(index, index + length)];
    }
    return Uint8Array.from(bytes);
  });
  return fc.oneof(fc.uint8Array({ maxLength: 80 }), grown);
}
