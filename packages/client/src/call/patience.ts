/**
 * How long one call goes on trying. Between rounds it pauses, longer each time, and it begins no try that could hardly be
 * answered before the deadline: of a write, such a try would leave nothing but a doubt.
 */

const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 500;
/** A try may need so long on machines that are busy, however near they are. */
const TRY_MS = 100;

/** When the first of several replicas is given up for the next: it may take half of what is left until the deadline. */
export function shareOf(deadlineMs: number): number {
  const nowMs = Date.now();
  return Math.min(deadlineMs, nowMs + Math.max(1, Math.ceil((deadlineMs - nowMs) / 2)));
}

/** The time of one call. Times are `Date.now()`. */
export class Patience {
  readonly #wholeMs: number;
  readonly #deadlineMs: number;
  readonly #random: () => number;

  constructor(nowMs: number, deadlineMs: number, random: () => number = Math.random) {
    this.#wholeMs = deadlineMs - nowMs;
    this.#deadlineMs = deadlineMs;
    this.#random = random;
  }

  /**
   * Milliseconds to wait before the next try, on a replica that answers in `latencyMs`: 0 within a round, and after `round`
   * (counted from 0) a pause that is never in step with that of others. Undefined when it is too late for another try.
   */
  pauseMs(round: number | undefined, latencyMs: number, nowMs: number): number | undefined {
    const spareMs = this.#deadlineMs - nowMs - this.#tryMs(latencyMs);
    if (spareMs < 0) return undefined;
    if (round === undefined) return 0;
    const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** round);
    return Math.min(spareMs, ceilingMs * (0.5 + 0.5 * this.#random()));
  }

  /** Whether a try that was meant to begin now has come too late, because this process was held up. */
  isTooLate(latencyMs: number, nowMs: number): boolean {
    return this.#deadlineMs - nowMs < this.#tryMs(latencyMs) / 2;
  }

  #tryMs(latencyMs: number): number {
    return Math.max(Math.min(TRY_MS, this.#wholeMs / 4), Math.min(latencyMs, this.#wholeMs / 2));
  }
}
