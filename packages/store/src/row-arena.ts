/**
 * Gives out pieces of a few buffers for the rows of a batch. A typed array of its own for each would be moved off the
 * heap when it is handed to the engine, which costs more than the rest of the row.
 */
const CHUNK_BYTES = 64 * 1024;
/** Chunks that are kept for the next batch; more are for the garbage collector. */
const CHUNKS_KEPT = 8;

export class RowArena {
  readonly #chunks = [new Uint8Array(CHUNK_BYTES)];
  #current = 0;
  #used = 0;

  /** A piece of the arena, with whatever is in it; valid until `reset`. */
  readonly allocate = (bytes: number): Uint8Array => {
    if (bytes > CHUNK_BYTES) return new Uint8Array(bytes);
    if (this.#used + bytes > CHUNK_BYTES) {
      this.#current += 1;
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + bytes;
    return this.#chunk().subarray(start, this.#used);
  };

  #chunk(): Uint8Array {
    const known = this.#chunks[this.#current];
    if (known !== undefined) return known;
    const made = new Uint8Array(CHUNK_BYTES);
    this.#chunks.push(made);
    return made;
  }

  /** Starts again: every piece that was given out may be overwritten. */
  reset(): void {
    if (this.#chunks.length > CHUNKS_KEPT) this.#chunks.length = CHUNKS_KEPT;
    this.#current = 0;
    this.#used = 0;
  }
}
