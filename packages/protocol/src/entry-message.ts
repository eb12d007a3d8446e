/** Core's entries and records as messages. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  conflictsOf,
  type Entry as CoreEntry,
  formatVersion,
  keyTextToBytes,
  originalTimestamp,
  timestampToMs,
  type WriteRecord,
} from "@meshkv/core";
import { type Entry, EntrySchema } from "./gen/meshkv/v1/meshkv_pb.ts";

const NO_VALUE = new Uint8Array(0);

/** What of an entry or record goes into its message. */
export interface EntryMessageOptions {
  /** Leave the value out. */
  readonly keysOnly?: boolean;
}

/**
 * A record as a message: a winner, or a loser among conflicts. Writer and time are those of the original write where
 * the record was adopted from a replica that came back.
 */
export function recordToMessage(record: WriteRecord, options: EntryMessageOptions = {}): Entry {
  const message = create(EntrySchema, {
    key: keyTextToBytes(record.key),
    value: options.keysOnly === true ? NO_VALUE : record.value,
    version: formatVersion(record),
    deleted: record.isDelete,
    origin: record.adopted?.origin ?? record.origin,
    updateTime: timestampFromMs(timestampToMs(originalTimestamp(record))),
  });
  if (record.expiresAtMs > 0) message.expireTime = timestampFromMs(record.expiresAtMs);
  return message;
}

/** The winner of an entry as a message, with the number of unsettled conflicts. */
export function entryToMessage(entry: CoreEntry, options: EntryMessageOptions = {}): Entry {
  const message = recordToMessage(entry.winner, options);
  message.conflictCount = conflictsOf(entry).length;
  return message;
}
