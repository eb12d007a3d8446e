/** A running 64-bit hash of numbers: two of MurmurHash3's 32-bit lanes (Austin Appleby, public domain), the second fed by the first. */
export class Hash {
  #high = 0x811c9dc5;
  #low = 0x9747b28c;

  /** Begins anew. */
  reset(): this {
    this.#high = 0x811c9dc5;
    this.#low = 0x9747b28c;
    return this;
  }

  /** Takes in an integer; of larger ones all 53 bits. */
  number(value: number): this {
    this.#word(value | 0);
    if (value > 0xffff_ffff || value < -0x8000_0000) this.#word(Math.floor(value / 0x1_0000_0000));
    return this;
  }

  #word(word: number): void {
    let mixed = Math.imul(word, 0xcc9e2d51);
    mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    let high = this.#high ^ mixed;
    high = (high << 13) | (high >>> 19);
    high = (Math.imul(high, 5) + 0xe6546b64) | 0;
    this.#high = high;
    mixed = Math.imul(word ^ high, 0x239b961b);
    mixed = Math.imul((mixed << 17) | (mixed >>> 15), 0xab0e9789);
    let low = this.#low ^ mixed;
    low = (low << 19) | (low >>> 13);
    this.#low = (Math.imul(low, 5) + 0x561ccd1b) | 0;
  }

  text(value: string): this {
    for (let index = 0; index < value.length; index += 1) this.#word(value.charCodeAt(index));
    return this.number(value.length);
  }

  /** A list, with its length. */
  numbers(values: readonly number[]): this {
    for (let index = 0; index < values.length; index += 1) this.number(values[index]!);
    return this.number(values.length);
  }

  /** The first half, as an unsigned 32-bit integer. */
  get high(): number {
    return finalMix(this.#high);
  }

  /** The second half. */
  get low(): number {
    return finalMix(this.#low);
  }

  /** Both halves as 16 hex digits. */
  get hex(): string {
    return this.high.toString(16).padStart(8, "0") + this.low.toString(16).padStart(8, "0");
  }
}

function finalMix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
