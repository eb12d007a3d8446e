/**
 * The port to the storage engine: the part of abstract-level that the store uses. Any abstract-level database with
 * `view` encodings fits; tests wrap one to make it fail.
 *
 * Contract (checked by the engine contract suite in `testing`):
 * - keys are ordered by unsigned bytes;
 * - a batch is atomic, applied in the order in which it was filled, and durable once `write` with `sync` resolves;
 * - a batch whose `write` rejects is not seen by reads of this handle (it may appear after a reopen);
 * - an iterator sees the state at the moment at which it was made, whatever is written later;
 * - reads go on after a failed batch.
 */
import { mkdir, realpath } from "node:fs/promises";
import type { AbstractLevel } from "abstract-level";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { hasCode, messages } from "./failure.ts";

/** An ordered store of byte rows. */
export interface Engine {
  /** The value under a key as of the last batch that the engine has applied; undefined when there is none. */
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Starts a batch. It copies what it is given, so that arrays may be used again. */
  batch(): EngineBatch;
  /** Starts reading a range of rows. */
  iterator(range: EngineRange): EngineIterator;
  /** Frees everything; rejects nothing that is under way but waits for it. */
  close(): Promise<void>;
  /** Reclaims the space of removed rows between two keys; engines without files lack it. */
  compactRange?(start: Uint8Array, end: Uint8Array): Promise<void>;
}

/** Rows to be written together. */
export interface EngineBatch {
  put(key: Uint8Array, value: Uint8Array): unknown;
  del(key: Uint8Array): unknown;
  /** Applies the batch; durable when it resolves, given `sync`. */
  write(options: { readonly sync: boolean }): Promise<void>;
  /** Drops a batch that was not written. */
  close(): Promise<void>;
}

/** A range of keys, and how to read it. */
export interface EngineRange {
  readonly gte?: Uint8Array;
  readonly gt?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  /** False when only keys will be looked at: the values are then undefined. */
  readonly values?: boolean;
  /** Bytes that one `nextv` may gather before it returns early. */
  readonly highWaterMarkBytes?: number;
}

/** Reads rows in order. */
export interface EngineIterator {
  /** Up to `size` more rows; none means the end. */
  nextv(size: number): Promise<[Uint8Array, Uint8Array][]>;
  close(): Promise<void>;
}

/** How a LevelDB directory is opened. */
export interface ClassicEngineOptions {
  readonly writeBufferBytes: number;
  readonly blockCacheBytes: number;
}

/**
 * Engine directories that this process has open. LevelDB's lock is a POSIX one: a second try by the same process fails,
 * as it should, but closes a file of the lock and thereby drops the lock of the first. So there must be no second try.
 */
const openDirectories = new Set<string>();

/** Another handle has the engine open. */
export class EngineLockedError extends Error {
  override name = "EngineLockedError";
}

/**
 * Opens LevelDB in a directory, which is made when missing.
 * @throws EngineLockedError when another handle has it open; otherwise the engine's own errors
 */
export async function openClassicEngine(directory: string, options: ClassicEngineOptions): Promise<Engine> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = await realpath(directory);
  if (openDirectories.has(path)) throw new EngineLockedError(`${directory} is open in this process`);
  openDirectories.add(path);
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.blockCacheBytes,
  });
  try {
    await level.open();
  } catch (error) {
    openDirectories.delete(path);
    throw hasCode(error, "LEVEL_LOCKED") ? new EngineLockedError(messages(error)) : error;
  }
  level.once("closed", () => openDirectories.delete(path));
  return level;
}

/**
 * Whether another handle has the directory's engine open. LevelDB takes its lock before it looks at anything else, so
 * asking it to fail on what exists tells, and neither replays nor changes a data file.
 */
export async function isEngineLocked(directory: string): Promise<boolean> {
  if (openDirectories.has(await realpath(directory))) return true;
  const level = new ClassicLevel(directory, { createIfMissing: false, errorIfExists: true });
  try {
    await level.open();
    await level.close();
    return false;
  } catch (error) {
    return hasCode(error, "LEVEL_LOCKED");
  }
}

/** Opens an engine that forgets everything when it is closed. */
export async function openMemoryEngine(): Promise<Engine> {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({
    keyEncoding: "view",
    valueEncoding: "view",
    storeEncoding: "view",
  });
  await level.open();
  return copyingEngine(level);
}

/** The port over any abstract-level database that keeps the arrays that it is given. */
function copyingEngine(level: AbstractLevel<Buffer | Uint8Array | string, Uint8Array, Uint8Array>): Engine {
  return {
    getSync: (key) => level.getSync(key),
    batch: () => copyingBatch(level.batch()),
    iterator: (range) => level.iterator(range),
    close: () => level.close(),
  };
}

/** What is kept must not change later, and not keep the whole buffers alive of which it is a view. */
function copyingBatch(batch: EngineBatch): EngineBatch {
  return {
    put: (key, value) => batch.put(new Uint8Array(key), new Uint8Array(value)),
    del: (key) => batch.del(new Uint8Array(key)),
    write: (options) => batch.write(options),
    close: () => batch.close(),
  };
}
