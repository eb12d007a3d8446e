/**
 * How many entries of a generation are deletes, and how many have losing puts. One reading of the table, as of a group
 * boundary, gives the figures. From then on each commit keeps them, since it knows what every entry was before.
 */
import { type ChangeSet, type Entry, FormatError } from "@meshkv/core";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineIterator } from "./engine.ts";
import { hasPutSiblings } from "./group-rows.ts";
import { plain } from "./read-rows.ts";
import { decodeEntryRow } from "./scan.ts";

/** Rows of one step: a few milliseconds. */
const STEP_ROWS = 500;
/** How much longer than it reads a reading rests: it is in no hurry, and others are. */
const REST_FACTOR = 9;

/** Entries by kind. */
export interface EntryFigures {
  /** Keys whose winner is a delete. */
  readonly tombstones: number;
  /** Keys with losing puts. */
  readonly conflicts: number;
}

/** A reading under way: what commits had changed when its rows stood still. */
export interface CountBeginning {
  readonly moved: EntryFigures;
  readonly epoch: number;
}

/** The figures of one generation. */
export class EntryCounts {
  /** What commits have changed since this was made. */
  #moved: EntryFigures = { tombstones: 0, conflicts: 0 };
  /** What there was before all those commits. */
  #base: EntryFigures | undefined;
  #epoch = 0;

  /** The figures as of the last commit; undefined until a reading has ended. */
  get figures(): EntryFigures | undefined {
    return this.#base && sum(this.#base, this.#moved);
  }

  /** A group was committed. */
  committed({ entries }: ChangeSet): void {
    let [tombstones, conflicts] = [0, 0];
    for (const { before, after } of entries.values()) {
      tombstones += Number(isTombstone(after)) - Number(isTombstone(before));
      conflicts += Number(hasPutSiblings(after)) - Number(hasPutSiblings(before));
    }
    this.#moved = sum(this.#moved, { tombstones, conflicts });
  }

  /** The generation was wiped. */
  forget(): void {
    this.#epoch += 1;
    this.#moved = { tombstones: 0, conflicts: 0 };
    this.#base = undefined;
  }

  /** To be called when the rows of a reading are fixed, between two commits. */
  begin(): CountBeginning {
    return { moved: this.#moved, epoch: this.#epoch };
  }

  /** Reads all entries of a table, taking its time, and closes the iterator. Damaged rows are none of its business. */
  async count(iterator: EngineIterator, { moved, epoch }: CountBeginning): Promise<void> {
    let [tombstones, conflicts] = [0, 0];
    try {
      for (;;) {
        const startMs = performance.now();
        const rows = await iterator.nextv(STEP_ROWS);
        if (rows.length === 0) break;
        for (const [row, value] of rows) {
          const entry = undamaged(row, value);
          tombstones += Number(isTombstone(entry));
          conflicts += Number(hasPutSiblings(entry));
        }
        await sleep(REST_FACTOR * (performance.now() - startMs), undefined, { ref: false });
      }
    } finally {
      await iterator.close();
    }
    if (epoch !== this.#epoch) return;
    this.#base = sum(
      { tombstones, conflicts },
      { tombstones: -moved.tombstones, conflicts: -moved.conflicts },
    );
  }
}

function isTombstone(entry: Entry | undefined): boolean {
  return entry?.winner.isDelete === true;
}

function undamaged(row: Uint8Array, value: Uint8Array): Entry | undefined {
  try {
    return decodeEntryRow(plain(row), plain(value));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return undefined;
  }
}

function sum(a: EntryFigures, b: EntryFigures): EntryFigures {
  return { tombstones: a.tombstones + b.tombstones, conflicts: a.conflicts + b.conflicts };
}
