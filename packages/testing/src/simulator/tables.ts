/** The durable rows of one generation, and answers to the core's scans of them. The stupid twin of the store. */
import {
  type ChangeSet,
  decodeEntry,
  decodeRecord,
  encodeEntry,
  type Entry,
  type ExpiryRow,
  type KeyText,
  type ReplicaId,
  type ScanRequest,
  type ScanResult,
  type SettledConflict,
  type StateSection,
  type Table,
  type WriteRecord,
} from "@meshkv/core";

export class SimulatedTables implements Table {
  readonly entries = new Map<KeyText, Entry>();
  /** Per origin, ascending by timestamp. */
  readonly logs = new Map<ReplicaId, WriteRecord[]>();
  readonly settled = new Map<string, SettledConflict>();
  readonly sections = new Map<StateSection, Uint8Array>();
  readonly #usesBytes: boolean;

  /** @param usesBytes entries and records take the way through their encoded form */
  constructor(usesBytes: boolean) {
    this.#usesBytes = usesBytes;
  }

  entry(key: KeyText): Entry | undefined {
    return this.entries.get(key);
  }

  /** A copy of the rows, as of a directory. */
  clone(): SimulatedTables {
    const copy = new SimulatedTables(this.#usesBytes);
    for (const [key, entry] of this.entries) copy.entries.set(key, entry);
    for (const [origin, records] of this.logs) copy.logs.set(origin, [...records]);
    for (const [name, conflict] of this.settled) copy.settled.set(name, conflict);
    for (const [name, bytes] of this.sections) copy.sections.set(name, bytes);
    return copy;
  }

  apply(group: ChangeSet): void {
    for (const [key, { after }] of group.entries) {
      if (after === undefined) this.entries.delete(key);
      else this.entries.set(key, this.#usesBytes ? decodeEntry(encodeEntry(after)) : after);
    }
    for (const record of group.records) this.#append(this.#usesBytes ? decodeRecord(record.bytes) : record);
    for (const { origin, timestamp } of group.cuts) this.#cut(origin, timestamp);
    for (const conflict of group.settled) this.settled.set(settledName(conflict.record), conflict);
    for (const record of group.dropped) this.settled.delete(settledName(record));
    for (const [name, bytes] of group.sections) this.sections.set(name, bytes);
  }

  #append(record: WriteRecord): void {
    let log = this.logs.get(record.origin);
    if (log === undefined) {
      log = [];
      this.logs.set(record.origin, log);
    }
    let index = log.length;
    while (index > 0 && (log[index - 1]?.timestamp ?? 0) > record.timestamp) index -= 1;
    const isHere = log[index - 1]?.timestamp === record.timestamp;
    log.splice(isHere ? index - 1 : index, isHere ? 1 : 0, record);
  }

  #cut(origin: ReplicaId, timestamp: number): void {
    const log = this.logs.get(origin);
    if (log === undefined) return;
    const index = placeAfter(log, timestamp) - 1;
    if (log[index]?.timestamp === timestamp) log.splice(index, 1);
  }

  scan(request: ScanRequest): ScanResult {
    switch (request.kind) {
      case "log": {
        const log = this.logs.get(request.origin) ?? [];
        const first = placeAfter(log, request.after);
        const records: WriteRecord[] = [];
        let bytes = 0;
        for (let index = first; index < log.length; index += 1) {
          const record = log[index]!;
          const isInBatch = records.at(-1)?.moreFollows === true;
          if (!isInBatch && (bytes >= request.bytesMax || record.timestamp > request.upTo)) break;
          records.push(record);
          bytes += record.bytes.length;
        }
        const next = log[first + records.length];
        return { kind: "log", records, done: next === undefined || next.timestamp > request.upTo };
      }
      case "entries": {
        const { after } = request;
        const rows = [...this.entries.values()].filter(
          ({ winner }) => after === undefined || winner.key > after,
        );
        rows.sort((a, b) => (a.winner.key < b.winner.key ? -1 : 1));
        const { taken, done } = page(rows, request.bytesMax, entryBytes);
        return { kind: "entries", entries: rows.slice(0, taken), done };
      }
      case "expiries": {
        const { after } = request;
        const rows: ExpiryRow[] = [];
        for (const [key, { winner }] of this.entries) {
          const { expiresAtMs } = winner;
          if (expiresAtMs === 0 || expiresAtMs > request.upToMs) continue;
          if (after === undefined || compareExpiries({ expiresAtMs, key }, after) > 0)
            rows.push({ expiresAtMs, key });
        }
        rows.sort(compareExpiries);
        return {
          kind: "expiries",
          rows: rows.slice(0, request.countMax),
          done: rows.length <= request.countMax,
        };
      }
      case "settled": {
        const after = request.after === undefined ? "" : settledName(request.after);
        const rows = [...this.settled].filter(([name]) => name > after).sort(([a], [b]) => (a < b ? -1 : 1));
        const { taken, done } = page(rows, request.bytesMax, ([, { record }]) => record.bytes.length);
        return { kind: "settled", conflicts: rows.slice(0, taken).map(([, conflict]) => conflict), done };
      }
      case "conflicted": {
        const { after } = request;
        const keys: KeyText[] = [];
        for (const [key, { siblings }] of this.entries) {
          if ((after === undefined || key > after) && siblings.some((s) => !s.isDelete)) keys.push(key);
        }
        keys.sort();
        return {
          kind: "conflicted",
          keys: keys.slice(0, request.countMax),
          done: keys.length <= request.countMax,
        };
      }
    }
  }
}

/** The place of the first record above the timestamp. */
function placeAfter(log: readonly WriteRecord[], timestamp: number): number {
  let [low, high] = [0, log.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (log[middle]!.timestamp <= timestamp) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entryBytes(entry: Entry): number {
  return entry.siblings.reduce((sum, sibling) => sum + sibling.bytes.length, entry.winner.bytes.length);
}

/** How many rows fit; at least one is taken. */
function page<T>(
  rows: readonly T[],
  bytesMax: number,
  size: (row: T) => number,
): { taken: number; done: boolean } {
  let bytes = 0;
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (row !== undefined) bytes += size(row);
    if (bytes >= bytesMax) return { taken: index + 1, done: index + 1 === rows.length };
  }
  return { taken: rows.length, done: true };
}

function compareExpiries(a: ExpiryRow, b: ExpiryRow): number {
  if (a.expiresAtMs !== b.expiresAtMs) return a.expiresAtMs - b.expiresAtMs;
  return a.key === b.key ? 0 : a.key < b.key ? -1 : 1;
}

function settledName({ key, timestamp, origin }: Pick<WriteRecord, "key" | "timestamp" | "origin">): string {
  return `${key}\0${timestamp.toString(16).padStart(14, "0")}${origin}`;
}
