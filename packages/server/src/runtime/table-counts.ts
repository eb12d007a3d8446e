import { MeshkvError } from "@meshkv/core";
import type { EntryFigures, Generation } from "@meshkv/store";
import type { Run } from "./run.ts";

/** Counts in the tables that serve, for metrics. */
export class TableCounts {
  readonly #run: () => Run;
  #counting: Generation | undefined;

  /** @param run the run that answers reads, or it throws */
  constructor(run: () => Run) {
    this.#run = run;
  }

  /** Reads of entries that the cache could answer, and could not, since the tables were opened. */
  cache(): { readonly hits: number; readonly misses: number } {
    return this.#table().cacheCounts;
  }

  /**
   * Deletes and conflicts in the tables. Undefined until they have been counted once, which begins when it is asked for first:
   * most never ask, and a count reads every row.
   */
  entries(): EntryFigures | undefined {
    const table = this.#table();
    if (table.entryFigures === undefined && this.#counting !== table) void this.#count(table);
    return table.entryFigures;
  }

  async #count(table: Generation): Promise<void> {
    this.#counting = table;
    try {
      await table.countEntries();
    } catch (error) {
      // The replica is closing, or its disk fails: that is told elsewhere.
      if (!(error instanceof MeshkvError)) throw error;
    } finally {
      if (this.#counting === table) this.#counting = undefined;
    }
  }

  #table(): Generation {
    const { database, host } = this.#run();
    return database.generation(host.active.generation);
  }
}
