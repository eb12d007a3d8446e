/**
 * Reads LevelDB's manifest: a log of edits, which say what files belong to the database. After an unclean stop other
 * files lie about, half-written ones among them, and mean nothing.
 */
import { FormatError } from "@meshkv/core";
import { LittleEndianReader } from "./little-endian.ts";
import { type LogDefect, readLogFile } from "./log-file.ts";

const COMPARATOR = 1;
const LOG_NUMBER = 2;
const NEXT_FILE = 3;
const LAST_SEQUENCE = 4;
const COMPACT_POINTER = 5;
const DELETED_FILE = 6;
const NEW_FILE = 7;
const PREVIOUS_LOG_NUMBER = 9;

/** The files of a database. */
export interface Manifest {
  /** Sizes in bytes of the table files, by number. */
  readonly tables: ReadonlyMap<number, number>;
  /** Write-ahead logs from this number on have not all gone into tables. */
  readonly logNumber: number;
  /** One older log of the same kind; 0 when there is none. */
  readonly previousLogNumber: number;
  readonly defects: readonly LogDefect[];
  /** Where a last edit that was cut short begins. */
  readonly tornAt: number | undefined;
}

/** Reads a manifest file. Edits that cannot be read become defects. */
export function readManifest(bytes: Uint8Array): Manifest {
  const { records, defects, tornAt } = readLogFile(bytes);
  const found = [...defects];
  const state = {
    tables: new Map<number, number>(),
    logNumber: 0,
    previousLogNumber: 0,
    tags: new Set<number>(),
  };
  records.forEach((record, index) => {
    try {
      applyEdit(record, state);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      found.push({ offset: 0, message: `edit ${index} cannot be read: ${error.message}` });
    }
  });
  for (const tag of [LOG_NUMBER, NEXT_FILE, LAST_SEQUENCE]) {
    if (!state.tags.has(tag)) found.push({ offset: 0, message: `no edit with tag ${tag} can be read` });
  }
  const { tables, logNumber, previousLogNumber } = state;
  return { tables, logNumber, previousLogNumber, defects: found, tornAt };
}

function applyEdit(
  record: Uint8Array,
  state: {
    readonly tables: Map<number, number>;
    readonly tags: Set<number>;
    logNumber: number;
    previousLogNumber: number;
  },
): void {
  const reader = new LittleEndianReader(record);
  while (reader.remaining > 0) {
    const tag = reader.varint();
    state.tags.add(tag);
    switch (tag) {
      case COMPARATOR:
        reader.slice();
        break;
      case LOG_NUMBER:
        state.logNumber = reader.varint();
        break;
      case NEXT_FILE:
      case LAST_SEQUENCE:
        reader.varint();
        break;
      case COMPACT_POINTER:
        reader.varint();
        reader.slice();
        break;
      case DELETED_FILE:
        reader.varint();
        state.tables.delete(reader.varint());
        break;
      case NEW_FILE: {
        reader.varint();
        const number = reader.varint();
        state.tables.set(number, reader.varint());
        reader.slice();
        reader.slice();
        break;
      }
      case PREVIOUS_LOG_NUMBER:
        state.previousLogNumber = reader.varint();
        break;
      default:
        throw new FormatError(`tag ${tag} is not known`);
    }
  }
}
