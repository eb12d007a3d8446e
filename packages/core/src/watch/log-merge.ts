/**
 * Reads a stretch of all origins' logs, merged by version, a chunk at a time. Between chunks it holds nothing but a
 * vector; so a watcher that stops in the middle costs no memory, and rows that were read too far are read again.
 */
import type { ReplicaId } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import { positionWithin } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import type { ScanRequest, ScanResult } from "../table.ts";
import type { Timestamp } from "../timestamp.ts";
import { compareVersions } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";

/** Records in the order of versions, and how far the stretch is told with them. */
export interface MergedChunk {
  readonly records: readonly WriteRecord[];
  readonly reached: VersionVector;
}

/** One chunk of the stretch between two vectors. */
export class LogMerge {
  readonly #from: VersionVector;
  readonly #upTo: VersionVector;
  #origins: ReplicaId[];
  #records: WriteRecord[] = [];
  /** Up to where every origin was read; undefined when all were read to their ends. */
  #limit: Timestamp | undefined;

  constructor(from: VersionVector, upTo: VersionVector, replica: Replica) {
    this.#from = from;
    this.#upTo = upTo;
    this.#origins = [...upTo.origins()].filter(
      (origin) => from.get(origin) < upTo.get(origin) && !replica.hasNoRecordAfter(origin, from.get(origin)),
    );
  }

  /** The next rows to read; undefined when the chunk is whole. */
  request(): ScanRequest | undefined {
    const origin = this.#origins.at(-1);
    if (origin === undefined) return undefined;
    const after = this.#from.get(origin);
    return { kind: "log", origin, after, upTo: this.#upTo.get(origin), bytesMax: FRAME_BYTES_TARGET };
  }

  /** The rows that {@link request} asked for. */
  take(result: Extract<ScanResult, { kind: "log" }>): void {
    const origin = this.#origins.pop();
    if (origin === undefined) return;
    const upTo = this.#upTo.get(origin);
    for (const record of result.records) if (record.timestamp <= upTo) this.#records.push(record);
    const last = result.records.at(-1);
    if (!result.done && last !== undefined)
      this.#limit = Math.min(this.#limit ?? last.timestamp, last.timestamp);
  }

  /** What was read, as far as all origins were read. */
  chunk(): MergedChunk {
    const limit = this.#limit;
    const records = limit === undefined ? this.#records : this.#records.filter((r) => r.timestamp <= limit);
    records.sort(compareVersions);
    const reached = this.#from.clone();
    for (const [origin, position] of this.#upTo.entries()) {
      const isCut = limit !== undefined && limit < position.timestamp;
      reached.advance(origin, isCut ? positionWithin(position, limit) : position);
    }
    return { records, reached };
  }
}
