/** Reads a whole table again, whatever it holds. */
import { type Entry, FormatError, type StateSection } from "@meshkv/core";
import type { EngineIterator } from "./engine.ts";
import { decodeSealed } from "./group-rows.ts";
import { readRows } from "./read-rows.ts";
import { keyOfRow } from "./row-keys.ts";
import { decodeEntryRow } from "./scan.ts";

const ROWS_EXPECTED = 1000;

/** What a reading of a whole table told, beside its entries. */
export interface TableReading {
  /** The sections of the replica's state that were stored at the same position. */
  readonly sections: ReadonlyMap<StateSection, Uint8Array>;
  /** Rows that are not what was written. */
  readonly damagedRows: number;
}

/** Iterators over a generation's entries and sections, made at one moment, and what to do with what they give. */
export interface TableReader {
  readonly entries: EngineIterator;
  readonly sections: EngineIterator;
  readonly visit: (entry: Entry) => void;
  readonly onDamage: (row: Uint8Array, message: string) => void;
  /** Stops the reading with its reason. */
  readonly signal: AbortSignal;
}

/** Reads everything and closes the iterators. Damaged rows are told and counted, and the reading goes on. */
export async function readTable(reader: TableReader): Promise<TableReading> {
  const { entries, visit, onDamage, signal } = reader;
  const sections = new Map<StateSection, Uint8Array>();
  let damagedRows = 0;
  const undamaged = <T>(row: Uint8Array, decode: () => T): T | undefined => {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      damagedRows += 1;
      onDamage(row, error.message);
      return undefined;
    }
  };
  try {
    await readRows(reader.sections, 16, (row, value) => {
      const bytes = undamaged(row, () => decodeSealed(value));
      if (bytes !== undefined) sections.set(keyOfRow(row) as string as StateSection, bytes);
      return true;
    });
  } catch (error) {
    await entries.close();
    throw error;
  }
  await readRows(entries, ROWS_EXPECTED, (row, value) => {
    signal.throwIfAborted();
    const entry = undamaged(row, () => decodeEntryRow(row, value));
    if (entry !== undefined) visit(entry);
    return true;
  });
  return { sections, damagedRows };
}
