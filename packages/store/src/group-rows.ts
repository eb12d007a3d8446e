/** Encodes a commit group into the rows of one engine batch. */
import {
  ByteReader,
  ByteWriter,
  type ChangeSet,
  crc32c,
  decodeRecord,
  type Entry,
  entryBytes,
  FormatError,
  putEntry,
  type SettledConflict,
} from "@meshkv/core";
import type { EngineBatch } from "./engine.ts";
import type { RowScratch } from "./row-scratch.ts";
import {
  conflictedRow,
  entryRow,
  expiryRow,
  logRow,
  requestRow,
  sectionRow,
  settledRow,
} from "./row-keys.ts";

const EMPTY = new Uint8Array(0);

/** Where rows are written before the batch copies them. */
export interface RowMemory {
  readonly keys: RowScratch;
  readonly values: RowScratch;
}

/**
 * Adds a group's rows to a batch. Expiry rows and conflict markers follow from the difference between what an entry
 * was and what it becomes, so `before` must be the durable state.
 */
export function putGroup(batch: EngineBatch, generation: number, group: ChangeSet, memory: RowMemory): void {
  const { allocate } = memory.keys;
  for (const { expiresAtMs, key } of group.staleExpiries)
    batch.del(expiryRow(generation, expiresAtMs, key, allocate));
  for (const [key, { before, after }] of group.entries) {
    const row = entryRow(generation, key, allocate);
    if (after === undefined) {
      batch.del(row);
    } else {
      const value = memory.values.allocate(entryBytes(after));
      putEntry(value, 0, after);
      batch.put(row, value);
    }
    const deadlineBefore = before?.winner.expiresAtMs ?? 0;
    const deadlineAfter = after?.winner.expiresAtMs ?? 0;
    if (deadlineBefore !== deadlineAfter && deadlineBefore > 0) {
      batch.del(expiryRow(generation, deadlineBefore, key, allocate));
    }
    if (deadlineAfter > 0) batch.put(expiryRow(generation, deadlineAfter, key, allocate), EMPTY);
    const markedAfter = hasPutSiblings(after);
    if (markedAfter !== hasPutSiblings(before)) {
      if (markedAfter) batch.put(conflictedRow(generation, key, allocate), EMPTY);
      else batch.del(conflictedRow(generation, key, allocate));
    }
  }
  for (const record of group.records)
    batch.put(logRow(generation, record.origin, record.timestamp, allocate), record.bytes);
  for (const { origin, timestamp } of group.cuts) batch.del(logRow(generation, origin, timestamp, allocate));
  for (const conflict of group.settled) {
    const { key, timestamp, origin } = conflict.record;
    batch.put(settledRow(generation, key, timestamp, origin, allocate), encodeSettled(conflict));
  }
  for (const { key, timestamp, origin } of group.dropped)
    batch.del(settledRow(generation, key, timestamp, origin, allocate));
  for (const { id, outcome } of group.requests) {
    const row = requestRow(generation, id, allocate);
    if (outcome === undefined) batch.del(row);
    else batch.put(row, encodeSealed(outcome));
  }
  for (const [name, bytes] of group.sections) batch.put(sectionRow(generation, name), encodeSealed(bytes));
}

/** Whether an entry has losing puts, which is what a conflict marker says. */
export function hasPutSiblings(entry: Entry | undefined): boolean {
  if (entry === undefined) return false;
  for (const sibling of entry.siblings) if (!sibling.isDelete) return true;
  return false;
}

/** `settled = u32 checksum of what follows, u64 settledAtMs, record` */
function encodeSettled(conflict: SettledConflict): Uint8Array {
  const writer = new ByteWriter(12 + conflict.record.bytes.length);
  writer.u32(0).u64(conflict.settledAtMs).raw(conflict.record.bytes);
  writer.patchU32(0, crc32c(writer.written(), 4));
  return writer.finish();
}

/** Decodes the value of a settled conflict's row. @throws FormatError */
export function decodeSettled(bytes: Uint8Array): SettledConflict {
  const reader = new ByteReader(decodeSealed(bytes));
  const settledAtMs = reader.u64();
  return { settledAtMs, record: decodeRecord(reader.raw(reader.remaining)) };
}

/** `sealed = u32 checksum of what follows, bytes` */
export function encodeSealed(bytes: Uint8Array): Uint8Array {
  return new ByteWriter(4 + bytes.length).u32(crc32c(bytes)).raw(bytes).finish();
}

/** The bytes under a seal. @throws FormatError when the checksum does not match */
export function decodeSealed(bytes: Uint8Array): Uint8Array {
  const checksum = new ByteReader(bytes).u32();
  if (crc32c(bytes, 4) !== checksum) throw new FormatError("row checksum does not match");
  return bytes.subarray(4);
}
