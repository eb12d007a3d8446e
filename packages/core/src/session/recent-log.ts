/**
 * The latest durable records of every origin in memory, so that what a commit group brought goes to peers without being
 * read back from the tables. It is no queue: nobody's position is in it, it is bounded by bytes whoever lags, and what it
 * does not reach back to is read from the tables.
 *
 * Per origin that is wanted it holds all durable records after `from`, whole batches only. Records that a floor has passed may be in it:
 * nobody is sent what lies below a floor.
 */
import type { ReplicaId } from "../ids.ts";
import type { WriteRecord } from "../record.ts";
import type { Timestamp } from "../timestamp.ts";
import type { VersionVector } from "../version-vector.ts";

/** Estimated bytes of a record beyond its encoded form. */
const RECORD_OVERHEAD_BYTES = 300;
/** Dropped records are cleared away when they are so many and as many as those that stay. */
const DROPPED_MAX = 1024;

interface Stretch {
  /** Everything durable after this is in `records`. */
  from: Timestamp;
  records: WriteRecord[];
  /** Records at the head of `records` that were dropped. */
  dropped: number;
}

/** A stretch of a log, as a scan of the tables answers it. */
export interface RecentRecords {
  readonly records: readonly WriteRecord[];
  /** Nothing durable follows. */
  readonly done: boolean;
}

/** Bounded; holds the latest of all origins together. */
export class RecentLog {
  readonly #bytesMax: number;
  readonly #stretches = new Map<ReplicaId, Stretch>();
  #durable: VersionVector;
  #bytes = 0;

  /**
   * @param durable what is durable before the first records come
   * @param bytesMax estimated bytes of memory; 0 keeps nothing
   */
  constructor(durable: VersionVector, bytesMax: number) {
    this.#durable = durable;
    this.#bytesMax = bytesMax;
  }

  /** Estimated bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes in the records of a group that has become durable.
   * @param durable the durable vector with them
   * @param floors rows at or below these stand in a log for other reasons than to be sent
   * @param isWanted whether an origin's records are kept: of another origin nothing is, once one has come
   */
  add(
    records: readonly WriteRecord[],
    durable: VersionVector,
    floors: ReadonlyMap<ReplicaId, Timestamp>,
    isWanted: (origin: ReplicaId) => boolean,
  ): void {
    const before = this.#durable;
    this.#durable = durable;
    if (this.#bytesMax === 0) return;
    let judged: ReplicaId | undefined;
    let isKept = false;
    for (const record of records) {
      const { origin, timestamp } = record;
      if (origin !== judged) {
        judged = origin;
        isKept = isWanted(origin);
        if (!isKept) this.#forget(origin);
      }
      if (!isKept) continue;
      if (timestamp > durable.get(origin) || timestamp <= (floors.get(origin) ?? 0)) continue;
      let stretch = this.#stretches.get(origin);
      if (stretch === undefined) {
        stretch = { from: before.get(origin), records: [], dropped: 0 };
        this.#stretches.set(origin, stretch);
      }
      stretch.records.push(record);
      this.#bytes += bytesOf(record);
    }
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  /** Forgets everything: what becomes durable up to here nobody is there to be sent. */
  clear(durable: VersionVector): void {
    this.#durable = durable;
    if (this.#stretches.size > 0) this.#stretches.clear();
    this.#bytes = 0;
  }

  #forget(origin: ReplicaId): void {
    const stretch = this.#stretches.get(origin);
    if (stretch === undefined) return;
    for (let index = stretch.dropped; index < stretch.records.length; index += 1)
      this.#bytes -= bytesOf(stretch.records[index]!);
    this.#stretches.delete(origin);
  }

  /** Drops the oldest batch of the origin whose oldest record is the oldest of all. */
  #dropOldest(): void {
    let oldest: Stretch | undefined;
    let oldestTimestamp = Number.POSITIVE_INFINITY;
    for (const stretch of this.#stretches.values()) {
      const timestamp = stretch.records[stretch.dropped]?.timestamp ?? Number.POSITIVE_INFINITY;
      if (timestamp < oldestTimestamp) [oldest, oldestTimestamp] = [stretch, timestamp];
    }
    if (oldest === undefined) return;
    const { records } = oldest;
    for (let goesOn = true; goesOn; ) {
      const record = records[oldest.dropped];
      if (record === undefined) break;
      this.#bytes -= bytesOf(record);
      oldest.from = record.timestamp;
      oldest.dropped += 1;
      goesOn = record.moreFollows;
    }
    if (oldest.dropped >= DROPPED_MAX && oldest.dropped * 2 >= records.length) {
      oldest.records = records.slice(oldest.dropped);
      oldest.dropped = 0;
    }
  }

  /**
   * Records of an origin after a position at which a batch ends, up to what is durable; whole batches, the last of which
   * may pass `bytesMax`. Undefined when they have to be read from the tables.
   */
  read(origin: ReplicaId, after: Timestamp, bytesMax: number): RecentRecords | undefined {
    const stretch = this.#stretches.get(origin);
    if (stretch === undefined || after < stretch.from) return undefined;
    const { records } = stretch;
    const start = firstAfter(stretch, after);
    let bytes = 0;
    let end = start;
    for (let isInBatch = false; end < records.length; end += 1) {
      if (!isInBatch && bytes >= bytesMax) break;
      const record = records[end];
      if (record === undefined) break;
      bytes += record.bytes.length;
      isInBatch = record.moreFollows;
    }
    return { records: records.slice(start, end), done: end === records.length };
  }
}

function bytesOf({ bytes }: WriteRecord): number {
  return bytes.length + RECORD_OVERHEAD_BYTES;
}

/** Index of the first record above the timestamp. */
function firstAfter({ records, dropped }: Stretch, after: Timestamp): number {
  let [low, high] = [dropped, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.timestamp ?? 0) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
