/**
 * Counts what no counter keeps: deletes and conflicts in the tables. A count reads every row, so it runs in the
 * background, only when somebody asks, and rests for long after a long one.
 */
import { MeshkvError } from "@meshkv/core";
import { setImmediate as turn } from "node:timers/promises";

/** What is counted. */
export interface Census {
  readonly tombstones: number;
  readonly conflicts: number;
}

/** Reads one page of the tables and adds it up. Resolves to where the next begins; undefined: that was the last. */
export type CensusPage = (
  after: string | undefined,
  counts: { tombstones: number; conflicts: number },
) => Promise<string | undefined>;

const REST_MS_MIN = 30_000;
/** The share of the time that counting may take. */
const REST_FACTOR = 100;

/** Keeps the last count, and makes a new one when it is old. */
export class TableCensus {
  readonly #readPage: CensusPage;
  #latest: Census | undefined;
  #nextMs = 0;
  #isCounting = false;

  constructor(readPage: CensusPage) {
    this.#readPage = readPage;
  }

  /** The last count; undefined: there is none yet. */
  latest(): Census | undefined {
    if (!this.#isCounting && performance.now() >= this.#nextMs) void this.#count();
    return this.#latest;
  }

  async #count(): Promise<void> {
    this.#isCounting = true;
    const startMs = performance.now();
    try {
      const counts = { tombstones: 0, conflicts: 0 };
      let after: string | undefined;
      do {
        after = await this.#readPage(after, counts);
        await turn();
      } while (after !== undefined);
      this.#latest = counts;
    } catch (error) {
      // The replica is closing, or its disk fails: that is told elsewhere.
      if (!(error instanceof MeshkvError)) throw error;
    } finally {
      const endMs = performance.now();
      this.#nextMs = endMs + Math.max(REST_MS_MIN, REST_FACTOR * (endMs - startMs));
      this.#isCounting = false;
    }
  }
}
