/**
 * How long a replica takes to answer, as the choice among replicas sees it: a slow answer counts at once and in full, and
 * is forgotten over some seconds. (Peak EWMA, as Finagle's load balancer has it.)
 */

const FORGET_MS = 5000;
/** Until something was measured, a replica is taken for a near one, so that it is tried. */
const FIRST_GUESS_MS = 1;

/** An estimate in milliseconds. Times are of one monotonic clock. */
export class Latency {
  #estimateMs = FIRST_GUESS_MS;
  #atMs = 0;

  /** Takes in one measurement. */
  observe(sampleMs: number, nowMs: number): void {
    const weight = Math.exp(-Math.max(0, nowMs - this.#atMs) / FORGET_MS);
    this.#estimateMs =
      sampleMs > this.#estimateMs ? sampleMs : this.#estimateMs * weight + sampleMs * (1 - weight);
    this.#atMs = nowMs;
  }

  get estimateMs(): number {
    return this.#estimateMs;
  }
}
