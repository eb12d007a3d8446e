/**
 * Checks a table file of LevelDB: every block against its checksum. LevelDB checks none when it reads.
 *
 * ```
 * file   = data blocks, filter block, metaindex block, index block, footer (48 bytes)
 * block  = bytes, u8 compression (0 none, 1 Snappy), u32 masked CRC-32C of both
 * footer = handle metaindex, handle index, padding, u64 magic
 * handle = varint offset, varint size
 * index  = entries (varint shared, varint unshared, varint length, key, handle), restarts, u32 count of restarts
 * ```
 *
 * The metaindex has the form of an index; it names the filter, in which a flipped bit hides rows from reads of single
 * keys. The footer has no checksum; its handles must fit each other instead.
 */
import { crc32c, FormatError } from "@meshkv/core";
import { fixed32, LittleEndianReader, unmaskChecksum } from "./little-endian.ts";
import type { LogDefect } from "./log-file.ts";
import { expandSnappy } from "./snappy.ts";

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** A bad place in a table file. */
export interface TableDefect extends LogDefect {
  /**
   * The byte that says how the bad block is compressed, when no other block is concerned; undefined when nothing in the
   * table can be found for sure.
   */
  readonly compressionAt: number | undefined;
}

/** Checks a whole table file; returns what is wrong. */
export function checkTableFile(bytes: Uint8Array): TableDefect[] {
  const footerAt = bytes.length - FOOTER_BYTES;
  if (footerAt < 0) return [hopeless(0, "the table is shorter than its footer")];
  if (fixed32(bytes, bytes.length - 8) !== MAGIC_LOW || fixed32(bytes, bytes.length - 4) !== MAGIC_HIGH) {
    return [hopeless(footerAt, "the table does not end as tables do")];
  }
  try {
    const footer = new LittleEndianReader(bytes, footerAt);
    const metaindex = readHandle(footer);
    const index = readHandle(footer);
    if (endOf(metaindex) !== index.offset || endOf(index) !== footerAt) {
      return [hopeless(footerAt, "the footer does not say where the index is")];
    }
    if (!isRight(bytes, index)) return [hopeless(index.offset, "index block: the checksum does not match")];
    return checkBlocks(bytes, metaindex, index);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return [hopeless(footerAt, `the index cannot be read: ${error.message}`)];
  }
}

function hopeless(offset: number, message: string): TableDefect {
  return { offset, message, compressionAt: undefined };
}

function checkBlocks(bytes: Uint8Array, metaindex: Handle, index: Handle): TableDefect[] {
  const defects: TableDefect[] = [];
  const check = (handle: Handle, what: string): boolean => {
    if (endOf(handle) > index.offset) throw new FormatError(`a ${what} lies outside the table`);
    if (isRight(bytes, handle)) return true;
    const { offset, size } = handle;
    defects.push({
      offset,
      message: `${what}: the checksum does not match`,
      compressionAt: offset + size,
    });
    return false;
  };
  if (check(metaindex, "metaindex block")) {
    for (const handle of readIndex(expand(bytes, metaindex))) check(handle, "filter block");
  }
  for (const handle of readIndex(expand(bytes, index))) check(handle, "data block");
  return defects;
}

function readHandle(reader: LittleEndianReader): Handle {
  const offset = reader.varint();
  return { offset, size: reader.varint() };
}

function endOf({ offset, size }: Handle): number {
  return offset + size + TRAILER_BYTES;
}

function isRight(bytes: Uint8Array, { offset, size }: Handle): boolean {
  const end = offset + size;
  return crc32c(bytes, offset, end + 1) === unmaskChecksum(fixed32(bytes, end + 1));
}

function expand(bytes: Uint8Array, { offset, size }: Handle): Uint8Array {
  const block = bytes.subarray(offset, offset + size);
  const compression = bytes[offset + size];
  if (compression === 0) return block;
  if (compression === 1) return expandSnappy(block);
  throw new FormatError(`compression ${compression} is not known`);
}

function readIndex(block: Uint8Array): Handle[] {
  if (block.length < 4) throw new FormatError("bytes end too early");
  const restarts = fixed32(block, block.length - 4);
  const end = block.length - 4 - restarts * 4;
  if (end < 0) throw new FormatError("more restarts than bytes");
  const handles: Handle[] = [];
  const reader = new LittleEndianReader(block, 0, end);
  while (reader.remaining > 0) {
    reader.varint();
    const unshared = reader.varint();
    const length = reader.varint();
    reader.skip(unshared);
    const start = reader.offset;
    reader.skip(length);
    handles.push(readHandle(new LittleEndianReader(block, start, start + length)));
  }
  return handles;
}
