/**
 * Arrays in which rows are written on their way to the engine, which copies them: an array of a size is made once and
 * used again for every row of that size. A typed array for each would be most of the garbage of a commit.
 */
const KEPT_BYTES_MAX = 4096;
const BYTES_MAX = 64 * 1024;

export class RowScratch {
  readonly #bytes = new Uint8Array(BYTES_MAX);
  /** The first so many bytes, by their number. */
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: KEPT_BYTES_MAX + 1 }, () => undefined);

  /** An array of a size, with whatever is in it; valid until the next is asked for. */
  readonly allocate = (bytes: number): Uint8Array => {
    if (bytes > BYTES_MAX) return new Uint8Array(bytes);
    if (bytes > KEPT_BYTES_MAX) return this.#bytes.subarray(0, bytes);
    let view = this.#views[bytes];
    if (view === undefined) {
      view = this.#bytes.subarray(0, bytes);
      this.#views[bytes] = view;
    }
    return view;
  };
}
