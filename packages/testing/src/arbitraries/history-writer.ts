/** One writer in a simulated history of one key: what it has accepted, and what follows from that. */
import {
  compareRecords,
  contextOf,
  covers,
  type Entry,
  HybridClock,
  isSameWrite,
  type KeyText,
  makeRecord,
  mergeRecord,
  originalTimestamp,
  rankOf,
  type RecordFields,
  type ReplicaId,
  type Timestamp,
  timestampFromMs,
  timestampToMs,
  type WriteRecord,
} from "@meshkv/core";

const KEY = "k" as KeyText;
const NO_BYTES = new Uint8Array(0);

/** What a simulated client writes: a delete when `value` is undefined. A `ttlMs` of 0 means for ever. */
export interface HistoryContent {
  readonly value: number | undefined;
  readonly ttlMs: number;
}

/** Names a write, however often it was adopted. */
export function writeName(record: RecordFields): string {
  const { timestamp, origin } = record.adopted ?? record;
  return `${timestamp}@${origin}`;
}

/** A replica in miniature: it writes what it knows of one key, hears of others, and forgets. */
export class HistoryWriter {
  readonly id: ReplicaId;
  readonly clock = new HybridClock();
  /** Per origin, up to where its log was accepted. */
  readonly positions = new Map<ReplicaId, Timestamp>();
  /** Everything accepted, in the order of arrival. */
  readonly accepted: WriteRecord[] = [];
  /** Names of all writes that this writer, or anyone whose write it saw, had seen: the truth behind contexts. */
  readonly seen = new Set<string>();
  /** What production code makes of the arrivals. */
  entry: Entry | undefined;
  /** Up to where this writer may forget, and the origins for which that waited. */
  horizon: Timestamp = 0;
  horizonMembers: ReadonlySet<ReplicaId> = new Set();
  readonly #seenBy: Map<string, ReadonlySet<string>>;

  /** @param seenBy what the author of each write had seen, by the write's name; shared by all writers */
  constructor(id: ReplicaId, seenBy: Map<string, ReadonlySet<string>>) {
    this.id = id;
    this.#seenBy = seenBy;
  }

  /** The writer's own log moves to the present. */
  beat(): void {
    this.positions.set(this.id, this.clock.tick(0));
  }

  write({ value, ttlMs }: HistoryContent): void {
    const timestamp = this.clock.tick(0);
    const record = makeRecord({
      timestamp,
      origin: this.id,
      key: KEY,
      isDelete: value === undefined,
      value: value === undefined ? NO_BYTES : Uint8Array.of(value),
      expiresAtMs: ttlMs === 0 ? 0 : timestampToMs(timestamp) + ttlMs,
      context: contextOf(this.entry, this.horizon, this.horizonMembers),
      moreFollows: false,
      adopted: undefined,
    });
    this.#seenBy.set(writeName(record), new Set(this.seen));
    this.accept(record);
  }

  /** Takes the other's records of one origin, in order, up to a timestamp (rules S1 to S3). */
  read(other: HistoryWriter, origin: ReplicaId, upTo: Timestamp): void {
    const position = this.positions.get(origin) ?? 0;
    const log = other.accepted.filter((record) => record.origin === origin);
    for (const record of log.sort((a, b) => a.timestamp - b.timestamp)) {
      if (record.timestamp > position && record.timestamp <= upTo) this.accept(record);
    }
    this.clock.observe(upTo);
    this.positions.set(origin, Math.max(position, upTo));
  }

  /**
   * Adopts what the other holds and this one lacks (rule M2), the best first.
   * @param horizon up to where records are raised
   * @param above records that rank at or below this are left out
   */
  adoptFrom(other: HistoryWriter, horizon: Timestamp, above: Timestamp): void {
    const offered = other.accepted.filter(
      (record) => (this.positions.get(record.origin) ?? 0) < record.timestamp && rankOf(record) > above,
    );
    for (const record of offered.sort((a, b) => compareRecords(b, a))) {
      const here = this.entry === undefined ? [] : [this.entry.winner, ...this.entry.siblings];
      if (!here.some((known) => isSameWrite(known, record) || covers(known, record))) {
        this.#adopt(record, horizon);
      }
    }
  }

  #adopt(record: WriteRecord, horizon: Timestamp): void {
    this.clock.observe(record.timestamp);
    const original = record.adopted ?? record;
    const isRaised = this.#mayHaveBeenBeaten(record, horizon) && horizon > rankOf(record);
    this.accept(
      makeRecord({
        ...record,
        timestamp: this.clock.tick(0),
        origin: this.id,
        adopted: {
          timestamp: original.timestamp,
          origin: original.origin,
          checksum: original.checksum,
          rank: isRaised ? horizon : rankOf(record),
          raised: isRaised || record.adopted?.raised === true,
        },
      }),
    );
  }

  #mayHaveBeenBeaten(record: WriteRecord, horizon: Timestamp): boolean {
    if (record.isDelete) return false;
    const winner = this.entry?.winner;
    // A tombstone at or below the horizon counts as forgotten, as it may be elsewhere.
    if (winner === undefined || (winner.isDelete && rankOf(winner) <= horizon)) return true;
    if (originalTimestamp(winner) > originalTimestamp(record) || rankOf(winner) > horizon) return false;
    return winner.adopted?.raised === true;
  }

  /** Accepts a record: own, read or adopted. */
  accept(record: WriteRecord): void {
    this.clock.observe(record.timestamp);
    this.accepted.push(record);
    this.seen.add(writeName(record));
    for (const name of this.#seenBy.get(writeName(record)) ?? []) this.seen.add(name);
    this.entry = mergeRecord(this.entry, record);
    this.positions.set(record.origin, Math.max(this.positions.get(record.origin) ?? 0, record.timestamp));
  }

  /** Forgets the key when a delete or an expired put wins that everybody has, over nothing but such deletes (rule F2). */
  forget(): void {
    if (this.entry === undefined) return;
    const { winner, siblings } = this.entry;
    const isKnownToAll = (record: WriteRecord): boolean =>
      Math.max(record.timestamp, rankOf(record)) <= this.horizon &&
      record.context.every(({ origin, timestamp }) => (this.positions.get(origin) ?? 0) >= timestamp);
    const isExpired = winner.expiresAtMs > 0 && timestampFromMs(winner.expiresAtMs) <= this.horizon;
    if (!isKnownToAll(winner) || !(winner.isDelete || isExpired)) return;
    if (siblings.every((sibling) => sibling.isDelete && isKnownToAll(sibling))) this.entry = undefined;
  }
}
