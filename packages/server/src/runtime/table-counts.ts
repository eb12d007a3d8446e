import { conflictsOf, isExpired, type KeyText } from "@meshkv/core";
import type { CensusPage } from "../telemetry/table-census.ts";
import type { Run } from "./run.ts";

/** Rows of one turn: a few milliseconds. */
const ROWS_PER_TURN = 1000;

/** Counts in the tables that serve, for metrics. */
export class TableCounts {
  readonly #run: () => Run;

  /** @param run the run that answers reads, or it throws */
  constructor(run: () => Run) {
    this.#run = run;
  }

  /** Reads of entries that the cache could answer, and could not, since the tables were opened. */
  cache(): { readonly hits: number; readonly misses: number } {
    const { database, host } = this.#run();
    return database.generation(host.active.generation).cacheCounts;
  }

  /** Adds up one page of rows. */
  readonly countPage: CensusPage = async (after, counts) => {
    const { database, host } = this.#run();
    const nowMs = Date.now();
    const page = await database.generation(host.active.generation).list({
      start: after as KeyText | undefined,
      limit: 1,
      bytesMax: 1,
      rowsMax: ROWS_PER_TURN,
      keep: (entry) => {
        if (entry.winner.isDelete) counts.tombstones += 1;
        if (conflictsOf(entry).some((loser) => !isExpired(loser, nowMs))) counts.conflicts += 1;
        return false;
      },
    });
    return page.resume;
  };
}
