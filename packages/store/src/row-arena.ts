/**
 * Gives out pieces of one buffer for the row keys of a batch. A typed array of its own for each would be moved off the
 * heap when it is handed to the engine, which costs more than the rest of the row.
 */
const CHUNK_BYTES = 64 * 1024;

export class RowArena {
  #chunk = new Uint8Array(CHUNK_BYTES);
  #used = 0;

  /** A piece of the arena, with whatever is in it; valid until `reset`. */
  readonly allocate = (bytes: number): Uint8Array => {
    if (bytes > CHUNK_BYTES) return new Uint8Array(bytes);
    if (this.#used + bytes > CHUNK_BYTES) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + bytes;
    return this.#chunk.subarray(start, this.#used);
  };

  /** Starts again: every piece that was given out may be overwritten. */
  reset(): void {
    this.#used = 0;
  }
}
