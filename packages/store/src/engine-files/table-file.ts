/**
 * Checks a table file of LevelDB: every block against its checksum. LevelDB checks none when it reads.
 *
 * ```
 * file   = data blocks, metaindex block, index block, footer (48 bytes)
 * block  = bytes, u8 compression (0 none, 1 Snappy), u32 masked CRC-32C of both
 * footer = handle metaindex, handle index, padding, u64 magic
 * handle = varint offset, varint size
 * index  = entries (varint shared, varint unshared, varint length, key, handle), restarts, u32 count of restarts
 * ```
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

/** Checks a whole table file; returns what is wrong. */
export function checkTableFile(bytes: Uint8Array): LogDefect[] {
  const footerAt = bytes.length - FOOTER_BYTES;
  if (footerAt < 0) return [{ offset: 0, message: "the table is shorter than its footer" }];
  if (fixed32(bytes, bytes.length - 8) !== MAGIC_LOW || fixed32(bytes, bytes.length - 4) !== MAGIC_HIGH) {
    return [{ offset: footerAt, message: "the table does not end as tables do" }];
  }
  const defects: LogDefect[] = [];
  const check = (handle: Handle, what: string): boolean => {
    const message = checkBlock(bytes, handle, footerAt);
    if (message !== undefined) defects.push({ offset: handle.offset, message: `${what}: ${message}` });
    return message === undefined;
  };
  try {
    const footer = new LittleEndianReader(bytes, footerAt);
    const metaindex = readHandle(footer);
    const index = readHandle(footer);
    check(metaindex, "metaindex block");
    if (!check(index, "index block")) return defects;
    for (const handle of readIndex(expand(bytes, index))) check(handle, "data block");
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    defects.push({ offset: footerAt, message: `the index cannot be read: ${error.message}` });
  }
  return defects;
}

function readHandle(reader: LittleEndianReader): Handle {
  const offset = reader.varint();
  return { offset, size: reader.varint() };
}

function checkBlock(bytes: Uint8Array, { offset, size }: Handle, limit: number): string | undefined {
  const end = offset + size;
  if (end + TRAILER_BYTES > limit) return "lies outside the table";
  const isRight = crc32c(bytes, offset, end + 1) === unmaskChecksum(fixed32(bytes, end + 1));
  return isRight ? undefined : "the checksum does not match";
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
