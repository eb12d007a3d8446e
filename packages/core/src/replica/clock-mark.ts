/** The clock's high-water mark, persisted ahead of its use (rule W4): above it the clock goes on after a restart. */
import { CLOCK_MARK_AHEAD_MS } from "../limits.ts";
import { TICKS_PER_MS, type Timestamp, timestampFromMs } from "../timestamp.ts";

/** How far the mark runs ahead of a clock that is itself ahead of the wall. */
const MARK_STEP_MS = 100;

export class ClockMark {
  #pending: Timestamp;
  #taken: Timestamp = 0;
  #durable: Timestamp;

  constructor(mark: Timestamp) {
    this.#pending = mark;
    this.#durable = mark;
  }

  /** What the next group makes durable. */
  get pending(): Timestamp {
    return this.#pending;
  }

  /** What a restart would find. */
  get durable(): Timestamp {
    return this.#durable;
  }

  /** Keeps the mark ahead of the clock; returns whether it moved. */
  keepAhead(last: Timestamp, nowMs: number): boolean {
    const half = (CLOCK_MARK_AHEAD_MS / 2) * TICKS_PER_MS;
    if (this.#pending - last >= Math.min(half, (MARK_STEP_MS / 2) * TICKS_PER_MS)) return false;
    this.#pending = Math.max(
      last + MARK_STEP_MS * TICKS_PER_MS,
      timestampFromMs(nowMs + CLOCK_MARK_AHEAD_MS),
    );
    return true;
  }

  /** A group was taken that makes the mark durable, … */
  groupTaken(): void {
    this.#taken = this.#pending;
  }

  /** … and is durable. */
  groupDurable(): void {
    this.#durable = this.#taken;
  }
}
