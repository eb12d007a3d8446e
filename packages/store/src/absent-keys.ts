/**
 * Which keys a generation surely has no entry of, so that none is looked for. A look-up of a key that is not there goes
 * through the files of several levels, and LevelDB takes a file that is asked in vain a hundred times for one that should
 * be compacted: what writes new keys would spend most of its time on that.
 *
 * Once enough keys were asked for in vain, all keys of the table are read, in the background; what is committed
 * meanwhile and later is added. Then whatever is not in the filter is not in the table.
 */
import type { ChangeSet, KeyText } from "@meshkv/core";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineIterator } from "./engine.ts";
import { KeyFilter } from "./key-filter.ts";
import { keyOfRow } from "./row-keys.ts";

/** Look-ups in vain that make a reading of all keys worth while. */
const MISSES_MIN = 256;
/** Bytes of the filter: some 16 million keys. Where there are more, every key is looked for. */
const FILTER_BYTES_MAX = 32 * 1024 * 1024;
/** Rows of one step: a few milliseconds. */
const STEP_ROWS = 4000;

/** Knows what is absent from one generation. */
export class AbsentKeys {
  readonly #bytesMax: number;
  #filter: KeyFilter | undefined;
  /** The filter has all keys of the table. */
  #isComplete = false;
  /** Nothing is read any more: the keys are too many, or cannot be read. */
  #isGivenUp = false;
  #misses = 0;

  constructor(bytesMax = FILTER_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Whether the table surely has no entry of the key, as of the last commit. */
  isAbsent(key: KeyText): boolean {
    return this.#isComplete && this.#filter?.mayHave(key) === false;
  }

  /** A key was looked for in vain. True when all keys should be read now: see {@link begin} and {@link read}. */
  missed(): boolean {
    if (this.#filter !== undefined || this.#isGivenUp) return false;
    this.#misses += 1;
    return this.#misses === MISSES_MIN;
  }

  /** A reading begins: to be called when its rows are fixed, before any later commit. */
  begin(): KeyFilter {
    this.#filter = new KeyFilter(this.#bytesMax);
    return this.#filter;
  }

  /** Reads all keys of the table, and closes the iterator. */
  async read(iterator: EngineIterator, filter: KeyFilter): Promise<void> {
    try {
      for (;;) {
        const rows = await iterator.nextv(STEP_ROWS);
        if (this.#filter !== filter) return;
        if (rows.length === 0) break;
        const startMs = performance.now();
        for (const [row] of rows) if (!filter.add(keyOfRow(row))) return this.giveUp();
        // Whoever waits for the table meanwhile comes first.
        await sleep(performance.now() - startMs, undefined, { ref: false });
      }
    } finally {
      await iterator.close();
    }
    if (this.#filter === filter) this.#isComplete = true;
  }

  /** A group is about to be written. */
  committing({ entries }: ChangeSet): void {
    const filter = this.#filter;
    if (filter === undefined) return;
    for (const [key, { after }] of entries) {
      if (after === undefined || filter.add(key)) continue;
      // What was removed is still in it: without that there may be room.
      if (this.#isComplete) this.forget();
      else this.giveUp();
      return;
    }
  }

  /** Nothing is known any more; it may be read again. */
  forget(): void {
    this.#filter = undefined;
    this.#isComplete = false;
    this.#misses = 0;
  }

  /** Nothing is known any more, and nothing will be. */
  giveUp(): void {
    this.forget();
    this.#isGivenUp = true;
  }
}
