/**
 * Checks the tables of the current generation against each other, row by row with look-ups, so that memory stays small
 * whatever the size.
 */
import {
  compareRecords,
  decodeState,
  Digest,
  type Entry,
  FormatError,
  type KeyText,
  type Progress,
  type ReplicaId,
  type StateSection,
  type Timestamp,
  type WriteRecord,
} from "@meshkv/core";
import type { Engine } from "../engine.ts";
import { decodeSealed, hasPutSiblings } from "../group-rows.ts";
import { plain, readRows } from "../read-rows.ts";
import {
  conflictedRow,
  entryRow,
  expiryRow,
  generationStart,
  keyOfRow,
  logRow,
  parseExpiryRow,
  TABLE,
  tableEnd,
  tableStart,
} from "../row-keys.ts";
import { decodeEntryRow, decodeLogRow, decodeSettledRow } from "../scan.ts";
import { type FsckLog, showKey } from "./fsck-log.ts";

const ROWS_EXPECTED = 1000;
const SECTIONS: readonly string[] = ["identity", "progress", "members"] satisfies StateSection[];

/** Checks every row of a generation that is complete. */
export async function checkGeneration(engine: Engine, generation: number, log: FsckLog): Promise<void> {
  const progress = await readProgress(engine, generation, log);
  const checker = new GenerationChecker(engine, generation, progress, log);
  const range = { gte: generationStart(generation), ...endOf(generation) };
  await readRows(engine.iterator(range), ROWS_EXPECTED, (row, value) => {
    try {
      checker.row(row, value);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      log.tell("row", `row ${hex(row)}: ${error.message}`);
    }
    return true;
  });
  checker.end();
}

function endOf(generation: number): { readonly lt?: Uint8Array } {
  return generation === 0xffff_ffff ? {} : { lt: generationStart(generation + 1) };
}

async function readProgress(engine: Engine, generation: number, log: FsckLog): Promise<Progress | undefined> {
  const sections = new Map<StateSection, Uint8Array>();
  const range = { gte: tableStart(generation, TABLE.section), lt: tableEnd(generation, TABLE.section) };
  let failure = "";
  await readRows(engine.iterator(range), SECTIONS.length, (row, value) => {
    const name: string = keyOfRow(row);
    log.add("sections");
    if (!SECTIONS.includes(name)) log.tell("state", `section ${name} is not known`);
    try {
      sections.set(name as StateSection, decodeSealed(value));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      failure = `section ${name}: ${error.message}`;
    }
    return true;
  });
  // A directory that was made and never started holds no state yet.
  if (sections.size === 0 && failure === "") return undefined;
  try {
    if (failure !== "") throw new FormatError(failure);
    return decodeState(sections).progress;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    log.tell("state", error.message);
    return undefined;
  }
}

class GenerationChecker {
  readonly #engine: Engine;
  readonly #generation: number;
  readonly #progress: Progress | undefined;
  readonly #log: FsckLog;
  readonly #digest = new Digest();
  #keys = 0;
  #lastOfLog: WriteRecord | undefined;

  constructor(engine: Engine, generation: number, progress: Progress | undefined, log: FsckLog) {
    this.#engine = engine;
    this.#generation = generation;
    this.#progress = progress;
    this.#log = log;
  }

  /** @throws FormatError when the row cannot be decoded, or lies under another's key */
  row(row: Uint8Array, value: Uint8Array): void {
    switch (row[4]) {
      case TABLE.entry:
        return this.#entry(decodeEntryRow(row, value));
      case TABLE.log:
        return this.#record(decodeLogRow(row, value));
      case TABLE.expiry:
        return this.#expiry(row);
      case TABLE.conflicted:
        return this.#conflicted(keyOfRow(row));
      case TABLE.settled:
        decodeSettledRow(row, value);
        this.#log.add("settledConflicts");
        return;
      case TABLE.request:
        decodeSealed(value);
        return;
      case TABLE.section:
        return;
      default:
        throw new FormatError("it belongs to no table");
    }
  }

  #entry(entry: Entry): void {
    const { winner, siblings } = entry;
    const { key } = winner;
    this.#log.add(winner.isDelete ? "tombstones" : "entries");
    this.#log.add("siblings", siblings.length);
    if (!winner.isDelete) {
      this.#keys += 1;
      if (winner.expiresAtMs === 0) this.#digest.add(key, winner.timestamp, winner.origin);
      else if (!this.#has(expiryRow(this.#generation, winner.expiresAtMs, key))) {
        this.#log.tell("expiry", `key ${showKey(key)} has a deadline and no expiry row`);
      }
    }
    if (hasPutSiblings(entry) && !this.#has(conflictedRow(this.#generation, key))) {
      this.#log.tell("conflicted", `key ${showKey(key)} has conflicts and no marker`);
    }
    for (const record of [winner, ...siblings]) this.#checkLogged(record);
  }

  /** What an entry holds of what has not been cut is in its origin's log. */
  #checkLogged(record: WriteRecord): void {
    if (this.#progress === undefined || record.timestamp <= this.#floorOf(record.origin)) return;
    if (!this.#has(logRow(this.#generation, record.origin, record.timestamp))) {
      this.#log.tell("coverage", `${describe(record)} is not in the log of its origin`);
    }
  }

  #record(record: WriteRecord): void {
    this.#log.add("logRecords");
    if (this.#lastOfLog?.origin !== record.origin) this.#endLog();
    this.#lastOfLog = record;
    const claimed = this.#progress?.vector.get(record.origin);
    if (claimed !== undefined && record.timestamp > claimed) {
      this.#log.tell("log", `${describe(record)} lies beyond what this replica claims of its origin`);
    }
    const entry = this.#readEntry(record.key);
    if (entry !== undefined && compareRecords(record, entry.winner) > 0) {
      this.#log.tell("coverage", `${describe(record)} is in a log and beats the entry of its key`);
    }
  }

  #endLog(): void {
    const last = this.#lastOfLog;
    if (last === undefined || !last.moreFollows || last.timestamp <= this.#floorOf(last.origin)) return;
    this.#log.tell("log", `the log of ${last.origin} ends inside a batch`);
  }

  #expiry(row: Uint8Array): void {
    this.#log.add("expiries");
    const { expiresAtMs, key } = parseExpiryRow(row);
    if (this.#readEntry(key)?.winner.expiresAtMs !== expiresAtMs) {
      this.#log.tell("expiry", `an expiry row names key ${showKey(key)}, which has another deadline or none`);
    }
  }

  #conflicted(key: KeyText): void {
    this.#log.add("conflictedKeys");
    if (!hasPutSiblings(this.#readEntry(key))) {
      this.#log.tell("conflicted", `a marker names key ${showKey(key)}, which has no conflicts`);
    }
  }

  /** To be called after the last row. */
  end(): void {
    this.#endLog();
    if (this.#progress === undefined) return;
    const { digest, keys } = this.#progress;
    if (keys !== this.#keys) {
      this.#log.tell("digest", `the state counts ${keys} keys; the entries are ${this.#keys}`);
    }
    const buckets = this.#digest.differingBuckets(digest);
    if (buckets.length > 0) {
      this.#log.tell("digest", `the digest differs from that of the entries in ${buckets.length} buckets`);
    }
  }

  #floorOf(origin: ReplicaId): Timestamp {
    return this.#progress?.floors.get(origin) ?? 0;
  }

  #has(row: Uint8Array): boolean {
    return this.#engine.getSync(row) !== undefined;
  }

  /** The entry of a key; a damaged one is told where it lies, and here it counts as none. */
  #readEntry(key: KeyText): Entry | undefined {
    const row = entryRow(this.#generation, key);
    const value = this.#engine.getSync(row);
    if (value === undefined) return undefined;
    try {
      return decodeEntryRow(row, plain(value));
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }
}

function describe(record: WriteRecord): string {
  return `record ${record.timestamp.toString(16)} of ${record.origin} for key ${showKey(record.key)}`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
