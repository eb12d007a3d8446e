/**
 * Bounds what retries add to a mesh that is in trouble: they may be a fifth of the calls in the long run. The reserve lets
 * every call in flight move at once when one replica goes.
 */

/** Retries that the reserve allows at once. */
const RESERVE = 1000;
const PER_CALL = 0.2;
/** A client with few calls may still retry so often. */
const PER_SECOND = 10;

/** Allows retries, or not. Times are milliseconds of one monotonic clock. */
export class RetryBudget {
  #left = RESERVE;
  #refilledAtMs: number;

  constructor(nowMs: number) {
    this.#refilledAtMs = nowMs;
  }

  /** A call was made: it earns a part of a retry. */
  earn(): void {
    this.#left = Math.min(RESERVE, this.#left + PER_CALL);
  }

  /** Takes one retry; false when there is none left. */
  take(nowMs: number): boolean {
    const earned = ((nowMs - this.#refilledAtMs) / 1000) * PER_SECOND;
    this.#left = Math.min(RESERVE, this.#left + Math.max(0, earned));
    this.#refilledAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
