/** Remembers when this replica's latest records were written, to say how far a peer lags behind them. */
import { timestampToMs, type Timestamp } from "../timestamp.ts";

/** How far a peer is behind. */
export interface Lag {
  /** Age of the oldest record that it lacks, in milliseconds; 0 when it lacks none. */
  readonly ms: number;
  /** Records that it lacks; undefined when they are more than are remembered. */
  readonly records: number | undefined;
}

/** Timestamps that are remembered, at least. */
const REMEMBERED_MIN = 8192;

export class RecentTimestamps {
  #timestamps: Timestamp[] = [];
  #forgotten: Timestamp = 0;

  /** Adds a timestamp that is greater than all before. */
  add(timestamp: Timestamp): void {
    this.#timestamps.push(timestamp);
    if (this.#timestamps.length < 2 * REMEMBERED_MIN) return;
    this.#forgotten = this.#timestamps[REMEMBERED_MIN - 1] ?? 0;
    this.#timestamps = this.#timestamps.slice(REMEMBERED_MIN);
  }

  lagBehind(timestamp: Timestamp, nowMs: number): Lag {
    let [low, high] = [0, this.#timestamps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timestamps[middle] ?? 0) <= timestamp) low = middle + 1;
      else high = middle;
    }
    const oldest = this.#forgotten > timestamp ? this.#forgotten : this.#timestamps[low];
    if (oldest === undefined) return { ms: 0, records: 0 };
    const records = this.#forgotten > timestamp ? undefined : this.#timestamps.length - low;
    return { ms: Math.max(0, nowMs - timestampToMs(oldest)), records };
  }
}
