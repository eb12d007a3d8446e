/**
 * The state of one key: its winning record, and the other records that nobody who wrote later had seen.
 *
 * ```
 * entry = u8 format (1), varint count, count * (blob record), record
 * ```
 */
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import { compareRecords, decodeRecord, isExpired, originalTimestamp, type WriteRecord } from "./record.ts";
import { type Timestamp, timestampFromMs } from "./timestamp.ts";

/** The state of one key. */
export interface Entry {
  /** The greatest accepted record of the key in the order of ranks. */
  readonly winner: WriteRecord;
  /**
   * Accepted records other than the winner that no other accepted record covers, greatest first. Puts among them are
   * conflicts, unless equal to the winner or expired when another was written. What is no conflict is kept because it
   * covers what may still arrive.
   */
  readonly siblings: readonly WriteRecord[];
}

const FORMAT = 1;

/** Whether a reader finds a value under the key at `nowMs`. */
export function isLive(entry: Entry | undefined, nowMs: number): entry is Entry {
  return entry !== undefined && !entry.winner.isDelete && !isExpired(entry.winner, nowMs);
}

/**
 * The losers that are shown as unsettled conflicts (rule X1), greatest first. One whose deadline had passed when another
 * was written is none: the other's author may have forgotten it by then, and could not name it.
 */
export function conflictsOf(entry: Entry): readonly WriteRecord[] {
  const { winner, siblings } = entry;
  return siblings.filter((sibling) => {
    if (sibling.isDelete || hasSameContent(sibling, winner)) return false;
    if (sibling.expiresAtMs === 0) return true;
    const deadline = timestampFromMs(sibling.expiresAtMs);
    return ![winner, ...siblings].some((other) => other !== sibling && writtenAt(other) >= deadline);
  });
}

/** When the write was made; one from a clock that ran ahead counts from its adoption, like its rank (rule C5). */
function writtenAt(record: WriteRecord): Timestamp {
  return Math.min(originalTimestamp(record), record.timestamp);
}

/** Whether two records would show a reader the same. */
export function hasSameContent(a: WriteRecord, b: WriteRecord): boolean {
  if (a.isDelete !== b.isDelete || a.expiresAtMs !== b.expiresAtMs || a.value.length !== b.value.length)
    return false;
  for (let index = 0; index < a.value.length; index += 1) if (a.value[index] !== b.value[index]) return false;
  return true;
}

/** Encodes an entry; see the grammar above. */
export function encodeEntry(entry: Entry): Uint8Array {
  const { winner, siblings } = entry;
  const writer = new ByteWriter(
    winner.bytes.length + 2 + siblings.reduce((sum, s) => sum + s.bytes.length + 8, 0),
  );
  writer.u8(FORMAT).varint(siblings.length);
  for (const sibling of siblings) writer.blob(sibling.bytes);
  return writer.raw(winner.bytes).finish();
}

/** Decodes an entry and checks every checksum in it; throws FormatError. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) throw new FormatError(`entry format ${format} is not known`);
  const count = reader.count(1);
  const siblings: WriteRecord[] = [];
  for (let index = 0; index < count; index += 1) siblings.push(decodeRecord(reader.blob()));
  const winner = decodeRecord(reader.raw(reader.remaining));
  let last = winner;
  for (const sibling of siblings) {
    if (sibling.key !== winner.key || compareRecords(sibling, last) >= 0)
      throw new FormatError("entry not in order");
    last = sibling;
  }
  return { winner, siblings };
}
