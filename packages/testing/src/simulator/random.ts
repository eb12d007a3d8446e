/** Seeded randomness: one seed, one sequence, on every machine (sfc32, Chris Doty-Humphrey, public domain). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#c = stream >>> 0;
    for (let round = 0; round < 15; round += 1) this.word();
  }

  /** A uniform unsigned 32-bit integer. */
  word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** A uniform integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.float() * count);
  }

  /** A uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** One of the items, of which there must be one. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  /** An integer between low and high whose logarithm is uniform. */
  logarithmic(low: number, high: number): number {
    return Math.round(low * (high / low) ** this.float());
  }

  /** Items in random order. */
  shuffle<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, order: this.word() }));
    return keyed.sort((a, b) => a.order - b.order).map(({ item }) => item);
  }
}
