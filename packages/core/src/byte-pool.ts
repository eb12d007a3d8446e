/**
 * Gives out pieces of one buffer after another: for small pieces a buffer of its own for each costs more than everything
 * else that is done with it. A piece that is kept keeps the buffer around it alive, so pieces of one pool should live
 * about as long as their neighbours.
 */
export class BytePool {
  readonly #bufferBytes: number;
  #buffer = new Uint8Array(0);
  #used = 0;

  /** @param bufferBytes size of a buffer; what takes more than a tenth of it gets its own */
  constructor(bufferBytes: number) {
    this.#bufferBytes = bufferBytes;
  }

  /** So many zero bytes that nobody else has. */
  allocate(bytes: number): Uint8Array {
    if (bytes * 10 > this.#bufferBytes) return new Uint8Array(bytes);
    if (this.#used + bytes > this.#buffer.length) {
      this.#buffer = new Uint8Array(this.#bufferBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + bytes;
    return this.#buffer.subarray(start, this.#used);
  }
}
