/** Which addresses to dial, and when: with jittered, growing pauses after failures. */

/** First pause after a failure, and the longest. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 3000;

interface Target {
  /** The shell is dialling, or the link is up. */
  busy: boolean;
  failures: number;
  nextMs: number;
}

export class Dialer {
  readonly #targets = new Map<string, Target>();
  readonly #random: () => number;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Of the wanted addresses, those to be dialled now; each is busy until it is told to have failed or closed. */
  due(wanted: Iterable<string>, nowMs: number): string[] {
    const addresses: string[] = [];
    for (const address of wanted) {
      let target = this.#targets.get(address);
      if (target === undefined) {
        target = { busy: false, failures: 0, nextMs: nowMs };
        this.#targets.set(address, target);
      }
      // A clock that was set back must not stop the dialling.
      if (target.busy || (nowMs < target.nextMs && target.nextMs - nowMs <= PAUSE_MS_MAX)) continue;
      target.busy = true;
      addresses.push(address);
    }
    return addresses;
  }

  /** The link to the address works: the next failure begins with a short pause again. */
  succeeded(address: string): void {
    const target = this.#targets.get(address);
    if (target !== undefined) target.failures = 0;
  }

  /** The address could not be reached, or the link to it is gone. */
  ended(address: string, nowMs: number): void {
    const target = this.#targets.get(address);
    if (target === undefined) return;
    const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(target.failures, 10));
    target.busy = false;
    target.failures += 1;
    target.nextMs = nowMs + pause * (0.5 + this.#random() / 2);
  }
}
