/** Watches the free space of a directory's file system, so that the engine itself never meets a full disk (rule W2). */
import { statfs } from "node:fs/promises";

/** A reading is used for this long. */
const REFRESH_MS = 250;
/** ... or until this much was written since. */
const REFRESH_BYTES = 4 * 1024 * 1024;

/** Tells the free bytes that an unprivileged process may use. */
export type FreeBytesProbe = () => Promise<number>;

export class FreeSpace {
  readonly #probe: FreeBytesProbe | undefined;
  readonly #floorBytes: number;
  readonly #now: () => number;
  #freeBytes = Number.POSITIVE_INFINITY;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #bytesSince = 0;
  #reading: Promise<void> | undefined;

  /**
   * @param probe undefined for engines without a disk, which are never full
   * @param now a clock in milliseconds that never goes back
   */
  constructor(
    probe: FreeBytesProbe | undefined,
    floorBytes: number,
    now: () => number = () => performance.now(),
  ) {
    this.#probe = probe;
    this.#floorBytes = floorBytes;
    this.#now = now;
  }

  /** Free bytes as of the last reading, less what was written since. */
  get freeBytes(): number {
    return this.#freeBytes - this.#bytesSince;
  }

  /** Free bytes beyond the floor; negative when it is full. */
  get spareBytes(): number {
    return this.freeBytes - this.#floorBytes;
  }

  get isFull(): boolean {
    return this.spareBytes < 0;
  }

  wrote(bytes: number): void {
    this.#bytesSince += bytes;
  }

  /** Starts a reading when the last one is stale; undefined when it is not. A failed reading keeps the last one. */
  refreshIfStale(): Promise<void> | undefined {
    if (this.#probe === undefined) return undefined;
    const isFresh = this.#now() - this.#readAtMs < REFRESH_MS && this.#bytesSince < REFRESH_BYTES;
    return isFresh ? undefined : this.refresh();
  }

  /** Reads now; joins a reading that is under way. */
  refresh(): Promise<void> {
    if (this.#probe === undefined) return Promise.resolve();
    this.#reading ??= this.#read(this.#probe).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(probe: FreeBytesProbe): Promise<void> {
    const bytesBefore = this.#bytesSince;
    try {
      this.#freeBytes = await probe();
    } catch {
      // A file system that cannot say how full it is must not stop writes: the engine's own errors remain.
    }
    this.#bytesSince -= bytesBefore;
    this.#readAtMs = this.#now();
  }

  /** One sentence for whoever is refused. */
  describe(): string {
    const free = Math.max(0, Math.round(this.freeBytes));
    return `writes are refused: ${free} bytes are free, fewer than the floor of ${this.#floorBytes}`;
  }
}

/** A probe of the file system that holds a directory. */
export function probeDirectory(directory: string): FreeBytesProbe {
  return async () => {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  };
}
