import type { EngineIterator } from "./engine.ts";

/** Bytes that one step of an iterator gathers: enough to amortise the step, little enough to keep the loop responsive. */
export const STEP_BYTES = 128 * 1024;
export const STEP_ROWS_MAX = 1000;

/**
 * Hands rows to `visit` in order until it returns false or the range ends, and closes the iterator. Returns whether
 * the range was exhausted.
 * @param rowsExpected about how many rows will be wanted, so that short reads stay short
 */
export async function readRows(
  iterator: EngineIterator,
  rowsExpected: number,
  visit: (row: Uint8Array, value: Uint8Array) => boolean,
): Promise<boolean> {
  const size = Math.max(1, Math.min(rowsExpected, STEP_ROWS_MAX));
  try {
    for (;;) {
      const rows = await iterator.nextv(size);
      if (rows.length === 0) return true;
      for (const [row, value] of rows) if (!visit(plain(row), plain(value))) return false;
    }
  } finally {
    await iterator.close();
  }
}

/** Engines hand out `Buffer`s; inside the product bytes are plain arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
