import { timestampFromMs, type Timestamp } from "./timestamp.ts";

/**
 * Hybrid logical clock (Kulkarni et al., 2014), packed in one integer: every reading is greater than everything that
 * this clock issued or observed, and follows the wall clock as long as that runs forward.
 */
export class HybridClock {
  #last: Timestamp;

  /** @param last the greatest timestamp that may have been issued or observed before. */
  constructor(last: Timestamp = 0) {
    this.#last = last;
  }

  /** The greatest timestamp issued or observed so far. */
  get last(): Timestamp {
    return this.#last;
  }

  /** Issues a new timestamp. */
  tick(wallMs: number): Timestamp {
    this.#last = Math.max(this.#last + 1, timestampFromMs(wallMs));
    return this.#last;
  }

  /** Takes in a timestamp from elsewhere: everything issued later is greater. */
  observe(timestamp: Timestamp): void {
    if (timestamp > this.#last) this.#last = timestamp;
  }
}
