/** A set of small numbers as bits. */
export class NumberSet {
  #words: Uint32Array;

  constructor(words: Uint32Array = new Uint32Array(1)) {
    this.#words = words;
  }

  has(number: number): boolean {
    return ((this.#words[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  }

  add(number: number): void {
    const index = number >>> 5;
    if (index >= this.#words.length) this.#grow(index + 1);
    this.#words[index] = (this.#words[index] ?? 0) | (1 << (number & 31));
  }

  addAll(other: NumberSet): void {
    if (other.#words.length > this.#words.length) this.#grow(other.#words.length);
    for (let index = 0; index < other.#words.length; index += 1) {
      this.#words[index] = (this.#words[index] ?? 0) | (other.#words[index] ?? 0);
    }
  }

  clone(): NumberSet {
    return new NumberSet(this.#words.slice());
  }

  #grow(length: number): void {
    const words = new Uint32Array(length);
    words.set(this.#words);
    this.#words = words;
  }
}
