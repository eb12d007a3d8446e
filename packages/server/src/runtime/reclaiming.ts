/**
 * Gives the space of rows that are gone back to a disk that runs short. The engine does that by itself, but only while it writes:
 * on a full disk it would never come to it.
 */

/** Less is not worth a compaction. */
const GONE_BYTES_MIN = 4 * 1024 * 1024;
/** After all files were written anew, so many times as long as that took, it is not done again. */
const REST_FACTOR = 10;

/** What can be done; neither may reject. */
export interface Reclaim {
  /** Compacts what is gone from the logs: little work, all of which pays. */
  logs(): Promise<void>;
  /** Compacts everything. */
  all(): Promise<void>;
}

export class Reclaiming {
  readonly #reclaim: Reclaim;
  #logBytes = 0;
  #goneBytes = 0;
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  #isUnderWay = false;

  constructor(reclaim: Reclaim) {
    this.#reclaim = reclaim;
  }

  /**
   * Looks whether the bytes that have gone from the logs since the last time are more than the disk has to spare, or whether it
   * is full. `nowMs`: a clock that never goes back.
   */
  look(logBytes: number, spareBytes: number, nowMs: number): void {
    this.#goneBytes += Math.max(0, this.#logBytes - logBytes);
    this.#logBytes = logBytes;
    if (this.#isUnderWay) return;
    if (this.#goneBytes >= Math.max(GONE_BYTES_MIN, spareBytes)) {
      this.#goneBytes = 0;
      this.#begin(() => this.#reclaim.logs());
    } else if (spareBytes < 0 && nowMs >= this.#restsUntilMs) {
      this.#begin(async () => {
        await this.#reclaim.all();
        const tookMs = performance.now() - nowMs;
        this.#restsUntilMs = nowMs + (1 + REST_FACTOR) * tookMs;
      });
    }
  }

  #begin(reclaim: () => Promise<void>): void {
    this.#isUnderWay = true;
    void reclaim().finally(() => {
      this.#isUnderWay = false;
    });
  }
}
