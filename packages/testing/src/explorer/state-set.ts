/** A set of 64-bit hashes in eight bytes each: open addressing, never more than half full. */
import type { Hash } from "./hash.ts";

export class StateSet {
  #high: Uint32Array;
  #low: Uint32Array;
  #size = 0;

  constructor(capacity = 1 << 16) {
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a hash; false when it was there. */
  add(hash: Hash): boolean {
    if (this.#size * 2 >= this.#low.length) this.#grow();
    // Zero marks an empty place.
    if (!this.#put(hash.high, hash.low || 1)) return false;
    this.#size += 1;
    return true;
  }

  /** Where the hash is, or would be. */
  #placeOf(high: number, low: number): number {
    const mask = this.#low.length - 1;
    let index = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
    while (this.#low[index] !== 0 && (this.#low[index] !== low || this.#high[index] !== high))
      index = (index + 1) & mask;
    return index;
  }

  #put(high: number, low: number): boolean {
    const index = this.#placeOf(high, low);
    if (this.#low[index] !== 0) return false;
    this.#low[index] = low;
    this.#high[index] = high;
    return true;
  }

  #grow(): void {
    const [high, low] = [this.#high, this.#low];
    this.#high = new Uint32Array(high.length * 2);
    this.#low = new Uint32Array(low.length * 2);
    for (const [index, value] of low.entries()) if (value !== 0) this.#put(high[index] ?? 0, value);
  }
}
