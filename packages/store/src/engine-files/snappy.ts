/**
 * Expands one block of Snappy's raw format (google/snappy, format_description.txt). LevelDB compresses the index blocks
 * that must be read to check a table file; its binding does not hand out its own decompressor.
 */
import { FormatError } from "@meshkv/core";
import { LittleEndianReader } from "./little-endian.ts";

/** A copy of 64 bytes takes three: nothing expands more. */
const EXPANSION_MAX = 22;

/** @throws FormatError when the bytes are no Snappy block */
export function expandSnappy(bytes: Uint8Array): Uint8Array {
  const header = new LittleEndianReader(bytes);
  const size = header.varint();
  if (size > bytes.length * EXPANSION_MAX) throw new FormatError("a compressed block is too large");
  const out = new Uint8Array(size);
  let at = header.offset;
  let written = 0;
  while (at < bytes.length) {
    const tag = bytes[at]!;
    at += 1;
    if ((tag & 3) === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const extra = length - 60;
        length = littleEndian(bytes, at, extra) + 1;
        at += extra;
      }
      if (length > bytes.length - at || length > size - written)
        throw new FormatError("a literal is too long");
      out.set(bytes.subarray(at, at + length), written);
      at += length;
      written += length;
      continue;
    }
    const kind = tag & 3;
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4;
    const offset = littleEndian(bytes, at, offsetBytes) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    at += offsetBytes;
    if (offset === 0 || offset > written || length > size - written)
      throw new FormatError("a copy is out of range");
    // Source and target may overlap: that is how runs are expressed.
    for (let index = 0; index < length; index += 1) out[written + index] = out[written + index - offset]!;
    written += length;
  }
  if (written !== size) throw new FormatError("a compressed block ends too early");
  return out;
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw new FormatError("bytes end too early");
  let value = 0;
  for (let index = count - 1; index >= 0; index -= 1) value = value * 256 + bytes[at + index]!;
  return value;
}
