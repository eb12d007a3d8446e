/** A trouble that repeats for so long does not go away by itself, as most do when replicas meet or rejoin. */
const LASTING_MS = 5000;
/** A trouble that was not met for so long is over. Peers are dialled again every few seconds. */
const OVER_MS = 20_000;
/** What goes on is told again after so long. */
const AGAIN_MS = 10 * 60_000;
/** Peers that are kept in mind; beyond them all is forgotten, and told a little later. */
const TROUBLES_MAX = 1000;

interface Trouble {
  readonly sinceMs: number;
  lastMs: number;
  toldMs: number | undefined;
}

/** Decides which of the troubles that are met again and again an operator has to hear of, and when. */
export class LastingTroubles {
  readonly #troubles = new Map<string, Trouble>();

  /** The trouble is met now. Returns whether it is to be told loudly. */
  isLoud(name: string, nowMs: number): boolean {
    let trouble = this.#troubles.get(name);
    if (trouble === undefined || nowMs - trouble.lastMs > OVER_MS || nowMs < trouble.lastMs) {
      if (this.#troubles.size >= TROUBLES_MAX) this.#troubles.clear();
      trouble = { sinceMs: nowMs, lastMs: nowMs, toldMs: undefined };
      this.#troubles.set(name, trouble);
    }
    trouble.lastMs = nowMs;
    if (nowMs - trouble.sinceMs < LASTING_MS) return false;
    if (trouble.toldMs !== undefined && nowMs - trouble.toldMs < AGAIN_MS) return false;
    trouble.toldMs = nowMs;
    return true;
  }
}
