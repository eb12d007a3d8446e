/**
 * Where this client wrote lately. Without a session reads go to whichever replica is near and idle, and that one may be
 * some milliseconds behind the one that took this client's last write; so what was just written is read where it was
 * written, as long as that replica is well.
 */

/** Longer than writes take to reach replicas that are well. */
const REMEMBER_MS = 2000;
const KEYS_MAX = 10_000;

interface Remembered<Place> {
  readonly place: Place;
  readonly untilMs: number;
}

/** Keys and the place of their last write. Times are milliseconds of one monotonic clock. */
export class RecentWrites<Place> {
  readonly #places = new Map<string, Remembered<Place>>();
  #last: Remembered<Place> | undefined;
  #lastOfMany: Remembered<Place> | undefined;

  /** A key was written; no key stands for many. */
  note(key: string | undefined, place: Place, nowMs: number): void {
    const remembered = { place, untilMs: nowMs + REMEMBER_MS };
    this.#last = remembered;
    if (key === undefined) {
      this.#lastOfMany = remembered;
      return;
    }
    this.#places.delete(key);
    this.#places.set(key, remembered);
    for (const [oldest, { untilMs }] of this.#places) {
      if (untilMs > nowMs && this.#places.size <= KEYS_MAX) break;
      this.#places.delete(oldest);
    }
  }

  /** Where a key was written lately; no key asks for the last write of all. */
  placeOf(key: string | undefined, nowMs: number): Place | undefined {
    const found = key === undefined ? this.#last : laterOf(this.#places.get(key), this.#lastOfMany);
    return found !== undefined && found.untilMs > nowMs ? found.place : undefined;
  }
}

function laterOf<Place>(
  first: Remembered<Place> | undefined,
  second: Remembered<Place> | undefined,
): Remembered<Place> | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return first.untilMs >= second.untilMs ? first : second;
}
