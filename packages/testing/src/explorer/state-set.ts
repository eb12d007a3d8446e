/** A set of 64-bit hashes in eight bytes each: open addressing, never more than half full. */
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

  /** Adds a hash of 16 hex digits; false when it was there. */
  add(hex: string): boolean {
    if (this.#size * 2 >= this.#low.length) this.#grow();
    const high = Number.parseInt(hex.slice(0, 8), 16);
    // Zero marks an empty place.
    const low = Number.parseInt(hex.slice(8), 16) || 1;
    if (!this.#put(high, low)) return false;
    this.#size += 1;
    return true;
  }

  #put(high: number, low: number): boolean {
    const mask = this.#low.length - 1;
    let index = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
    while (this.#low[index] !== 0) {
      if (this.#low[index] === low && this.#high[index] === high) return false;
      index = (index + 1) & mask;
    }
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
