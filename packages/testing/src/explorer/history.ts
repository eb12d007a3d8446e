/** What was written on the way to a state of a world, and who has it: the truth that the machines are judged by. */
import type { WriteRecord } from "@meshkv/core";

/** One record as its origin made it; its place in the history is its bit in the masks. */
export interface IssuedRecord {
  readonly record: WriteRecord;
  /** Of the write; an adoption shares the number of its original. */
  readonly number: number;
  /** Numbers of the writes of its key that its author had, as bits. */
  readonly seen: number;
}

/** A list of records that is the same object whenever it is the same list. */
export interface History {
  readonly id: number;
  readonly records: readonly IssuedRecord[];
}

/** More records than this do not fit the masks. */
const RECORDS_MAX = 31;

export class Histories {
  readonly #known = new Map<string, History>();
  readonly empty: History = this.#intern([]);

  #intern(records: readonly IssuedRecord[]): History {
    const name = records.map(({ record, number, seen }) => `${nameOf(record)}/${number}/${seen}`).join(" ");
    let history = this.#known.get(name);
    if (history === undefined) {
      history = { id: this.#known.size, records };
      this.#known.set(name, history);
    }
    return history;
  }

  /** The history with one record more. */
  with(history: History, issued: IssuedRecord): History {
    if (history.records.length >= RECORDS_MAX) throw new RangeError("too many records for one world");
    return this.#intern([...history.records, issued]);
  }
}

/** Names a record among all that were ever made. */
export function nameOf({ timestamp, origin, checksum }: WriteRecord): string {
  return `${timestamp}@${origin}#${checksum}`;
}

/** The place of a record; -1 when it was not made on this way. */
export function indexOf({ records }: History, record: WriteRecord): number {
  return records.findIndex(
    (issued) =>
      issued.record.checksum === record.checksum &&
      issued.record.timestamp === record.timestamp &&
      issued.record.origin === record.origin,
  );
}

/** The place of the write that a record adopts; -1 when it adopts none of this history. */
export function originalOf({ records }: History, { adopted }: WriteRecord): number {
  if (adopted === undefined) return -1;
  return records.findIndex(
    ({ record }) =>
      record.checksum === adopted.checksum &&
      record.timestamp === adopted.timestamp &&
      record.origin === adopted.origin,
  );
}

/** The records of a mask. */
export function inMask({ records }: History, mask: number): IssuedRecord[] {
  return records.filter((_, index) => (mask & (1 << index)) !== 0);
}

/** Whether a record here supersedes the write: its author had seen it, or wrote when its deadline had passed. */
export function isSuperseded(issued: IssuedRecord, held: readonly IssuedRecord[], deadline: number): boolean {
  const { record, number, seen } = issued;
  return held.some(
    (other) =>
      other.number !== number &&
      other.record.key === record.key &&
      ((other.seen & (1 << number)) !== 0 ||
        (deadline > 0 &&
          (seen & (1 << other.number)) === 0 &&
          (other.record.adopted ?? other.record).timestamp >= deadline)),
  );
}
