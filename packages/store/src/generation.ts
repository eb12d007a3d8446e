/**
 * One generation of a replica's rows. Consistency rests on one rule: only one commit of a generation is under way at a
 * time, and whatever reads several rows starts at a group boundary. The engine may show a batch before it is durable;
 * so while one is under way single entries come from what the group says they were before, and scans wait for its end.
 */
import {
  type ChangeSet,
  type Entry,
  FormatError,
  invariant,
  type KeyText,
  MeshkvError,
  type ScanRequest,
  type ScanResult,
  type StateSection,
  type Table,
} from "@meshkv/core";
import { AbsentKeys } from "./absent-keys.ts";
import type { Engine, EngineIterator, EngineRange } from "./engine.ts";
import type { EngineWriter } from "./engine-writer.ts";
import { EntryCache } from "./entry-cache.ts";
import { EntryCounts, type EntryFigures } from "./entry-counts.ts";
import { isCorruption, storageError } from "./failure.ts";
import { decodeSealed, putGroup } from "./group-rows.ts";
import { type ListRequest, type ListResult, rangeOfList, readList } from "./list.ts";
import { plain, readRows, STEP_BYTES } from "./read-rows.ts";
import { readTable, type TableReading } from "./read-table.ts";
import { CURRENT_GENERATION, encodeCurrentGeneration } from "./root-rows.ts";
import { entryRow, keyOfRow, rootRow, TABLE, tableEnd, type TableLetter, tableStart } from "./row-keys.ts";
import { RowScratch } from "./row-scratch.ts";
import { DamagedRowError, decodeEntryRow, decodeRow, rangeOf, readScan } from "./scan.ts";

/** A stored row that is not what was written. It is never served. */
export interface Damage {
  readonly generation: number;
  /** The row's whole key in hex; empty when the engine could not tell which row. */
  readonly row: string;
  /** The key that is concerned, when the row is an entry's. */
  readonly key: KeyText | undefined;
  readonly message: string;
}

/** How a group is committed. */
export interface CommitOptions {
  /**
   * The group only cuts, forgets, or carries small state: it is let through although free space is below the floor,
   * since it is what makes room.
   */
  readonly essential?: boolean | undefined;
}

/** What generations share with their database. */
export interface GenerationContext {
  readonly engine: Engine;
  readonly writer: EngineWriter;
  readonly cacheBytesMax: number;
  readonly onDamage: (damage: Damage) => void;
}

/** Bytes that one step of a reading of all keys gathers. */
const KEY_STEP_BYTES = 2 * STEP_BYTES;
/** Bad rows of which the store remembers that it has told; more are told again. */
const DAMAGES_REMEMBERED_MAX = 10_000;

/** A replica's tables. Made by `Database.generation`. */
export class Generation implements Table {
  readonly number: number;
  readonly #context: GenerationContext;
  readonly #cache: EntryCache;
  readonly #counts = new EntryCounts();
  readonly #absent = new AbsentKeys();
  readonly #told = new Set<string>();
  readonly #rowMemory = { keys: new RowScratch(), values: new RowScratch() };
  #underWay: ChangeSet | undefined;
  #waiting: (() => void)[] = [];

  constructor(number: number, context: GenerationContext) {
    this.number = number;
    this.#context = context;
    this.#cache = new EntryCache(context.cacheBytesMax);
  }

  /** Bytes of memory that entries which were read or written lately take. */
  get cacheBytes(): number {
    return this.#cache.allocatedBytes;
  }

  /** Reads of an entry that the cache could answer, and that it could not. */
  get cacheCounts(): { readonly hits: number; readonly misses: number } {
    return this.#cache.counts;
  }

  /** Deletes and conflicts as of the last commit; undefined until `countEntries` has ended once. */
  get entryFigures(): EntryFigures | undefined {
    return this.#counts.figures;
  }

  /**
   * Counts deletes and conflicts in the whole table, slowly; once is enough, since commits keep the figures from then on.
   * @throws MeshkvError STORAGE_FAILED when rows cannot be read, as when the database closes meanwhile
   */
  async countEntries(): Promise<void> {
    let beginning = this.#counts.begin();
    try {
      const rows = await this.#iterate(rangeOfTable(this.number, TABLE.entry), () => {
        beginning = this.#counts.begin();
      });
      await this.#counts.count(rows, beginning);
    } catch (error) {
      throw isEngineError(error) ? this.#unreadable(error, "counting entries") : error;
    }
  }

  /**
   * The durable entry of a key, undefined when there is none.
   * @throws MeshkvError STORAGE_FAILED when the stored bytes are damaged or cannot be read
   */
  entry(key: KeyText): Entry | undefined {
    const change = this.#underWay?.entries.get(key);
    if (change !== undefined) return change.before;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached ?? undefined;
    if (this.#absent.isAbsent(key)) return undefined;
    const entry = this.#readEntry(key);
    if (entry === undefined && this.#absent.missed()) void this.#readKeys();
    this.#cache.set(key, entry);
    return entry;
  }

  /** Reads all keys, so that those which are absent need not be looked for. Where that fails, they are. */
  async #readKeys(): Promise<void> {
    let filter = this.#absent.begin();
    try {
      const range = {
        ...rangeOfTable(this.number, TABLE.entry),
        values: false,
        highWaterMarkBytes: KEY_STEP_BYTES,
      };
      const rows = await this.#iterate(range, () => {
        filter = this.#absent.begin();
      });
      await this.#absent.read(rows, filter);
    } catch (error) {
      this.#absent.giveUp();
      if (isEngineError(error)) this.#unreadable(error, "reading all keys");
      else if (!(error instanceof MeshkvError)) throw error;
    }
  }

  #readEntry(key: KeyText): Entry | undefined {
    const row = entryRow(this.number, key);
    let value: Uint8Array | undefined;
    try {
      value = this.#context.engine.getSync(row);
    } catch (error) {
      throw this.#unreadable(error, "reading an entry");
    }
    if (value === undefined) return undefined;
    try {
      return decodeEntryRow(row, plain(value));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw this.#damaged(row, error.message);
    }
  }

  /** Reads what the core asks for, as of a group boundary. Never rejects for bad rows: the result says so. */
  async scan(request: ScanRequest): Promise<ScanResult> {
    try {
      return await readScan(await this.#iterate(rangeOf(this.number, request)), request);
    } catch (error) {
      if (error instanceof DamagedRowError) {
        return { kind: "failed", message: this.#damaged(error.row, error.message).message };
      }
      if (error instanceof MeshkvError) return { kind: "failed", message: error.message };
      if (isEngineError(error)) {
        return { kind: "failed", message: this.#unreadable(error, "scanning").message };
      }
      throw error;
    }
  }

  /**
   * A page of entries for clients, as of a group boundary.
   * @throws MeshkvError STORAGE_FAILED when a row in the range is damaged or cannot be read
   */
  async list(request: ListRequest): Promise<ListResult> {
    invariant(request.limit >= 1, "a page has at least one entry");
    try {
      return await readList(await this.#iterate(rangeOfList(this.number, request)), request);
    } catch (error) {
      if (error instanceof DamagedRowError) throw this.#damaged(error.row, error.message);
      throw isEngineError(error) ? this.#unreadable(error, "listing entries") : error;
    }
  }

  /**
   * The stored sections of the replica's state; empty in a generation that was never written.
   * @throws MeshkvError STORAGE_FAILED when one is damaged or cannot be read
   */
  async sections(): Promise<Map<StateSection, Uint8Array>> {
    const sections = new Map<StateSection, Uint8Array>();
    await this.#readSealed(TABLE.section, "reading the replica's state", (name, bytes) => {
      sections.set(name as string as StateSection, bytes);
    });
    return sections;
  }

  /**
   * What came of requests that had an id, in the order of ids.
   * @throws MeshkvError STORAGE_FAILED when one is damaged or cannot be read
   */
  async requests(): Promise<Map<KeyText, Uint8Array>> {
    const requests = new Map<KeyText, Uint8Array>();
    await this.#readSealed(TABLE.request, "reading the outcomes of requests", (id, bytes) => {
      requests.set(id, bytes);
    });
    return requests;
  }

  async #readSealed(
    table: TableLetter,
    doing: string,
    visit: (name: KeyText, bytes: Uint8Array) => void,
  ): Promise<void> {
    const range = { gte: tableStart(this.number, table), lt: tableEnd(this.number, table) };
    try {
      await readRows(await this.#iterate(range), 1000, (row, value) => {
        visit(
          keyOfRow(row),
          decodeRow(row, () => decodeSealed(value)),
        );
        return true;
      });
    } catch (error) {
      if (error instanceof DamagedRowError) throw this.#damaged(error.row, error.message);
      throw isEngineError(error) ? this.#unreadable(error, doing) : error;
    }
  }

  /**
   * Reads the whole table again, as of one group boundary. Damaged rows are told and counted, not given to `visit`.
   * @throws MeshkvError STORAGE_FAILED when rows cannot be read; the signal's reason
   */
  async readTable(visit: (entry: Entry) => void, signal: AbortSignal): Promise<TableReading> {
    try {
      const [entries, sections] = await Promise.all([
        this.#iterate(rangeOfTable(this.number, TABLE.entry)),
        this.#iterate(rangeOfTable(this.number, TABLE.section)),
      ]);
      const onDamage = (row: Uint8Array, message: string): void => void this.#damaged(row, message);
      return await readTable({ entries, sections, visit, onDamage, signal });
    } catch (error) {
      throw isEngineError(error) ? this.#unreadable(error, "reading the table") : error;
    }
  }

  /**
   * Makes a group durable in one engine batch. Until it resolves, readers see the state before it. Only one commit
   * may be under way.
   * @throws MeshkvError STORAGE_FULL when free space is below the floor (nothing was written, a later commit may
   * succeed), or when the engine met a full disk; STORAGE_FAILED when the engine failed. After a failure of the engine
   * `Database.failure` is set and every later commit rejects until the database is closed and opened again.
   */
  commit(changeSet: ChangeSet, options: CommitOptions = {}): Promise<void> {
    return this.commitWith(changeSet, options, undefined);
  }

  /** As `commit`; with `switchTo` the same batch also makes this generation the current one. */
  async commitWith(
    changeSet: ChangeSet,
    options: CommitOptions,
    switchTo: { readonly drop: readonly string[] } | undefined,
  ): Promise<void> {
    invariant(this.#underWay === undefined, "a commit is under way already");
    this.#underWay = changeSet;
    const { engine, writer } = this.#context;
    try {
      const admission = writer.admit(options.essential === true);
      if (admission !== undefined) await admission;
      const batch = engine.batch();
      this.#absent.committing(changeSet);
      try {
        putGroup(batch, this.number, changeSet, this.#rowMemory);
        if (switchTo !== undefined) {
          batch.put(rootRow(CURRENT_GENERATION), encodeCurrentGeneration(this.number));
          for (const name of switchTo.drop) batch.del(rootRow(name));
        }
      } catch (error) {
        await batch.close();
        throw error;
      }
      try {
        await writer.write(batch, changeSet.bytes);
      } catch (error) {
        for (const key of changeSet.entries.keys()) this.#cache.delete(key);
        throw error;
      }
      if (changeSet.isCopy) for (const key of changeSet.entries.keys()) this.#cache.delete(key);
      else for (const [key, { after }] of changeSet.entries) this.#cache.set(key, after);
      this.#counts.committed(changeSet);
    } finally {
      this.#underWay = undefined;
      this.#serveWaiting();
    }
  }

  /** Forgets cached entries, as after the generation was wiped. */
  forget(): void {
    this.#cache.clear();
    this.#counts.forget();
    this.#absent.forget();
  }

  /**
   * Starts reading a range at a group boundary: at once, or when the commit under way has ended. `onStart` is called there,
   * before any later commit begins.
   */
  #iterate(range: EngineRange, onStart?: () => void): Promise<EngineIterator> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        try {
          resolve(this.#context.engine.iterator(range));
          onStart?.();
        } catch (error) {
          reject(storageError(error, "starting a scan"));
        }
      };
      if (this.#underWay === undefined) start();
      else this.#waiting.push(start);
    });
  }

  #serveWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const start of waiting) start();
  }

  /** Makes the error for a read that the engine failed; damage in its files ends the writing, until they are repaired. */
  #unreadable(cause: unknown, doing: string): MeshkvError {
    const error = storageError(cause, doing);
    if (isCorruption(cause)) {
      this.#context.writer.fail(error);
      this.#context.onDamage({ generation: this.number, row: "", key: undefined, message: error.message });
    }
    return error;
  }

  /** Tells of a bad row once, and makes the error for whoever wanted it. */
  #damaged(row: Uint8Array, message: string): MeshkvError {
    const hex = toHex(row);
    const key = row[4] === TABLE.entry ? keyOfRow(row) : undefined;
    if (!this.#told.has(hex)) {
      if (this.#told.size < DAMAGES_REMEMBERED_MAX) this.#told.add(hex);
      this.#context.onDamage({ generation: this.number, row: hex, key, message });
    }
    return new MeshkvError("STORAGE_FAILED", `damaged row ${hex}: ${message}`);
  }
}

function rangeOfTable(generation: number, table: TableLetter): EngineRange {
  return {
    gte: tableStart(generation, table),
    lt: tableEnd(generation, table),
    highWaterMarkBytes: STEP_BYTES,
  };
}

/** abstract-level marks its errors, and those of LevelDB, with codes that start with LEVEL_. */
function isEngineError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "code" in error && typeof error.code === "string" && error.code.startsWith("LEVEL_");
}

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
