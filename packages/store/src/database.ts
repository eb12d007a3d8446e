/**
 * The local database of a replica: one directory, one engine, rows in generations. A replica that rejoins builds its
 * new state in another generation beside the old one and then switches over in one batch.
 */
import { ChangeSet, invariant, type MeshkvError, type ReplicaId, type Timestamp } from "@meshkv/core";
import {
  currentManifest,
  engineDirectory,
  markCleanStop,
  removeCleanMark,
  removeDamage,
  removeLost,
  saveDamage,
} from "./directory.ts";
import { strayTables } from "./engine-files/stray-tables.ts";
import { type Engine, openMemoryEngine } from "./engine.ts";
import { EngineWriter } from "./engine-writer.ts";
import { isCorruption, messages, storageError } from "./failure.ts";
import { FreeSpace, type FreeBytesProbe, probeDirectory } from "./free-space.ts";
import { type CommitOptions, type Damage, Generation } from "./generation.ts";
import { openDirectory } from "./open-directory.ts";
import { DAMAGE, firstGenerationFrom, recoverRoot, type Root } from "./root-rows.ts";
import { logRow, ROW_PREFIX_BYTES } from "./row-keys.ts";
import { wipeGeneration } from "./wipe.ts";

const MIB = 1024 * 1024;
const WRITE_BUFFER_BYTES = 8 * MIB;
/**
 * LevelDB may need a write-ahead log, a memory table on its way to disk and a compaction's output at once. A compaction of the
 * youngest level writes all its files anew, of which there are four to eight, each as large as a write buffer.
 */
const FLOOR_WRITE_BUFFERS = 8;
const CACHE_BYTES = 64 * MIB;
const BLOCK_CACHE_BYTES = 16 * MIB;

/** Where the rows live: in a directory, in memory only, or in an engine that the caller has opened (tests). */
export type DatabaseLocation =
  | { readonly directory: string }
  | { readonly memory: true }
  | { readonly engine: Engine };

/** Settings of a database; every one has a default. */
export interface DatabaseOptions {
  /** Bytes of entries kept in memory per generation; 64 MiB. */
  readonly cacheBytesMax?: number | undefined;
  /** LevelDB's write buffer; 8 MiB. Up to two are held in memory. */
  readonly writeBufferBytes?: number | undefined;
  /** LevelDB's cache of blocks; 16 MiB. */
  readonly blockCacheBytes?: number | undefined;
  /** Free bytes below which only essential groups are committed; three write buffers. */
  readonly freeBytesFloor?: number | undefined;
  /** Tells the free bytes of the disk; asks the file system of the directory. */
  readonly freeBytesProbe?: FreeBytesProbe | undefined;
  /** Called once for every damaged row that a read meets. */
  readonly onDamage?: ((damage: Damage) => void) | undefined;
}

/**
 * The rows of one replica. Reads go to its generations; all writing goes through one place, which stops for good at the
 * first failed batch (rule W2): close the database and open it again to go on.
 */
export class Database {
  /** The data directory; undefined when there is none. */
  readonly directory: string | undefined;
  readonly #engine: Engine;
  readonly #writer: EngineWriter;
  readonly #space: FreeSpace;
  readonly #options: DatabaseOptions;
  readonly #generations = new Map<number, Generation>();
  #currentGeneration: number;
  #damage: readonly string[];
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    readonly directory: string | undefined;
    readonly engine: Engine;
    readonly options: DatabaseOptions;
    readonly writer: EngineWriter;
    readonly space: FreeSpace;
    readonly root: Root;
  }) {
    this.directory = parts.directory;
    this.#damage = parts.root.damage;
    this.#engine = parts.engine;
    this.#options = parts.options;
    this.#writer = parts.writer;
    this.#space = parts.space;
    this.#currentGeneration = parts.root.currentGeneration;
  }

  /**
   * Opens a database; makes it when there is none. The engine's files are checked first, which reads all of them.
   * @throws MeshkvError DIRECTORY_LOCKED when another process has it open; UNSUPPORTED_FORMAT; STORAGE_FAILED when
   * the engine cannot open its files; STORAGE_FULL
   */
  static open(location: DatabaseLocation, options: DatabaseOptions = {}): Promise<Database> {
    return Database.#open(location, options, false);
  }

  static async #open(
    location: DatabaseLocation,
    options: DatabaseOptions,
    isSecondTry: boolean,
  ): Promise<Database> {
    const directory = "directory" in location ? location.directory : undefined;
    const writeBufferBytes = options.writeBufferBytes ?? WRITE_BUFFER_BYTES;
    const probe = options.freeBytesProbe ?? (directory === undefined ? undefined : probeDirectory(directory));
    const space = new FreeSpace(probe, options.freeBytesFloor ?? FLOOR_WRITE_BUFFERS * writeBufferBytes);
    await space.refresh();
    let engine: Engine | undefined;
    let findings: readonly string[] = [];
    try {
      if ("engine" in location) engine = location.engine;
      else if (directory === undefined) engine = await openMemoryEngine();
      else {
        ({ engine, findings } = await openDirectory(directory, {
          writeBufferBytes,
          blockCacheBytes: options.blockCacheBytes ?? BLOCK_CACHE_BYTES,
          isFull: space.isFull,
        }));
      }
      return await Database.#start(directory, engine, options, space, findings);
    } catch (error) {
      await engine?.close();
      if (directory !== undefined && isCorruption(error) && !isSecondTry) {
        // The engine sees damage that the check did not: as a finding it brings the repair.
        await saveDamage(directory, [...new Set([...findings, messages(error)])]);
        return Database.#open(location, options, true);
      }
      throw storageError(error, `opening ${directory ?? "the database"}`);
    }
  }

  static async #start(
    directory: string | undefined,
    engine: Engine,
    options: DatabaseOptions,
    space: FreeSpace,
    findings: readonly string[],
  ): Promise<Database> {
    await space.refresh();
    const writer = new EngineWriter(space);
    const root = await recoverRoot(engine, findings, (batch) => writer.write(batch, 0));
    if (directory !== undefined) {
      await removeDamage(directory);
      await removeCleanMark(directory);
    }
    return new Database({ directory, engine, options, writer, space, root });
  }

  /** The number of the generation that holds the replica's state. */
  get currentGeneration(): number {
    return this.#currentGeneration;
  }

  /**
   * What a check of the engine's files found when the directory was opened, now or earlier: the replica may have lost acknowledged writes and has to rejoin. Empty when all is well. Kept until `switchTo`.
   */
  get damage(): readonly string[] {
    return this.#damage;
  }

  /** The failed batch after which nothing is written any more; undefined while the database takes writes. */
  get failure(): MeshkvError | undefined {
    return this.#writer.failure;
  }

  /**
   * Whether free space is below the floor, so that only essential groups are committed. Looks again in the background
   * when the last reading is older than 250 ms.
   */
  get isFull(): boolean {
    void this.#space.refreshIfStale();
    return this.#space.isFull;
  }

  /** Free bytes beyond the floor, as `isFull` knows them; infinite without a disk. */
  get spareBytes(): number {
    void this.#space.refreshIfStale();
    return this.#space.spareBytes;
  }

  /**
   * Whether there is room to open the directory again after a failure, counting what a compaction that was broken off has
   * left: to open it again removes that, and nothing else does.
   */
  async hasRoomToReopen(): Promise<boolean> {
    await this.#space.refresh();
    if (!this.#space.isFull || this.directory === undefined) return !this.#space.isFull;
    const strays = await strayTables(engineDirectory(this.directory));
    return this.#space.spareBytes + strays.reduce((sum, { bytes }) => sum + bytes, 0) >= 0;
  }

  /** Free bytes of the disk, less what was written since they were read; infinite without a disk. */
  async freeBytes(): Promise<number> {
    await this.#space.refreshIfStale();
    return this.#space.freeBytes;
  }

  /** The tables of a generation, 1 or greater; the same object for the same number. */
  generation(number: number): Generation {
    invariant(
      Number.isInteger(number) && number >= 1 && number <= 0xffff_ffff,
      `not a generation: ${number}`,
    );
    let generation = this.#generations.get(number);
    if (generation === undefined) {
      generation = new Generation(number, {
        engine: this.#engine,
        writer: this.#writer,
        cacheBytesMax: this.#options.cacheBytesMax ?? CACHE_BYTES,
        onDamage: this.#options.onDamage ?? (() => {}),
      });
      this.#generations.set(number, generation);
    }
    return generation;
  }

  /**
   * Numbers of the generations that have rows, ascending: more than the current one after a rejoin was cut short.
   * @throws MeshkvError STORAGE_FAILED
   */
  async generations(): Promise<number[]> {
    const numbers: number[] = [];
    try {
      for (let next = 1; ; ) {
        const found = await firstGenerationFrom(this.#engine, next);
        if (found === undefined) return numbers;
        numbers.push(found);
        next = found + 1;
      }
    } catch (error) {
      const failure = storageError(error, "looking for generations");
      if (isCorruption(error)) this.#writer.fail(failure);
      throw failure;
    }
  }

  /**
   * Makes another generation the current one, durably and in the same batch as the group, and forgets findings about
   * the files: the state that they concerned is replaced. The old generation's rows stay until `wipe`.
   * @throws MeshkvError as `Generation.commit`; then nothing has changed
   */
  async switchTo(generation: number, changeSet?: ChangeSet, options: CommitOptions = {}): Promise<void> {
    const target = this.generation(generation);
    await target.commitWith(changeSet ?? new ChangeSet(0), options, { drop: [DAMAGE] });
    this.#currentGeneration = generation;
    const wasDamaged = this.#damage.length > 0;
    this.#damage = [];
    // What a repair put aside is of no use any more. That it cannot be removed costs space and nothing else.
    if (wasDamaged && this.directory !== undefined) await removeLost(this.directory).catch(() => undefined);
  }

  /**
   * Removes every row of a generation that is not the current one, in small steps beside other work. Resolves with
   * false when `close` cut it short; it may be called again.
   * @throws MeshkvError STORAGE_FAILED, STORAGE_FULL
   */
  async wipe(generation: number): Promise<boolean> {
    invariant(generation !== this.#currentGeneration, "the current generation is not wiped");
    this.#generations.get(generation)?.forget();
    try {
      return await wipeGeneration(this.#engine, this.#writer, generation, () => this.#closing !== undefined);
    } catch (error) {
      if (this.#closing !== undefined) return false;
      throw storageError(error, `wiping generation ${generation}`);
    } finally {
      this.#generations.get(generation)?.forget();
    }
  }

  /**
   * Has the engine give back the space of what is gone from the logs of the current generation, below their floors. It would do
   * so by itself, but only as it writes, and nobody may write on a full disk. Costs little: all that lies there is gone.
   * @throws MeshkvError STORAGE_FAILED
   */
  async reclaimLogs(floors: ReadonlyMap<ReplicaId, Timestamp>): Promise<void> {
    const generation = this.#currentGeneration;
    for (const [origin, floor] of floors)
      await this.#compact(logRow(generation, origin, 0), logRow(generation, origin, floor));
  }

  /**
   * Has the engine give back all space that nothing uses any more. It writes all files anew for that.
   * @throws MeshkvError STORAGE_FAILED
   */
  reclaimAll(): Promise<void> {
    return this.#compact(new Uint8Array(0), new Uint8Array(ROW_PREFIX_BYTES).fill(0xff));
  }

  async #compact(start: Uint8Array, end: Uint8Array): Promise<void> {
    if (this.#closing !== undefined) return;
    try {
      await this.#engine.compactRange?.(start, end);
    } catch (error) {
      if (this.#closing === undefined) throw storageError(error, "giving space back");
    }
  }

  /**
   * Waits for commits under way, closes the engine and marks the stop as clean, unless a batch had failed. Nothing is
   * written after the mark.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    // Read while this process holds the engine's lock: the mark must name the manifest of this opening.
    const manifest = this.directory === undefined ? undefined : await currentManifest(this.directory);
    await this.#engine.close();
    if (this.directory === undefined || manifest === undefined || this.#writer.failure !== undefined) return;
    try {
      await markCleanStop(this.directory, manifest);
    } catch {
      // Without the mark the next opening checks the files: that costs time and nothing else.
    }
  }
}
