/**
 * The one way to write to the engine. After any failed batch it lets nothing through (rule W2): LevelDB may lose later
 * acknowledged writes after one failed append, so only a fresh handle may write again.
 */
import { MeshkvError } from "@meshkv/core";
import type { EngineBatch } from "./engine.ts";
import { storageError } from "./failure.ts";
import type { FreeSpace } from "./free-space.ts";

export class EngineWriter {
  readonly #space: FreeSpace;
  readonly #underWay = new Set<Promise<void>>();
  #failure: MeshkvError | undefined;
  #isClosed = false;

  constructor(space: FreeSpace) {
    this.#space = space;
  }

  /** The first failed batch, after which nothing more is written; undefined while all is well. */
  get failure(): MeshkvError | undefined {
    return this.#failure;
  }

  /**
   * Decides whether a batch may be written; may have to look at the disk first.
   * @throws MeshkvError STORAGE_FULL, STORAGE_FAILED
   */
  admit(isEssential: boolean): Promise<void> | undefined {
    this.#assertUsable();
    const refresh = this.#space.refreshIfStale();
    if (refresh !== undefined) return refresh.then(() => this.#decide(isEssential));
    this.#decide(isEssential);
    return undefined;
  }

  #decide(isEssential: boolean): void {
    this.#assertUsable();
    if (isEssential || !this.#space.isFull) return;
    throw new MeshkvError("STORAGE_FULL", this.#space.describe());
  }

  /**
   * Writes a batch durably.
   * @throws MeshkvError STORAGE_FULL, STORAGE_FAILED
   */
  async write(batch: EngineBatch, bytes: number): Promise<void> {
    try {
      this.#assertUsable();
    } catch (error) {
      await batch.close();
      throw error;
    }
    const writing = batch.write({ sync: true });
    this.#underWay.add(writing);
    try {
      await writing;
      this.#space.wrote(bytes);
    } catch (error) {
      this.#failure ??= storageError(error, "writing to the storage engine");
      throw this.#failure;
    } finally {
      this.#underWay.delete(writing);
    }
  }

  /** The engine has shown that its files are damaged: nothing more is written, and the stop will not count as clean. */
  fail(failure: MeshkvError): void {
    this.#failure ??= failure;
  }

  /** Lets nothing more through and waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
  }

  #assertUsable(): void {
    if (this.#isClosed) throw new MeshkvError("STORAGE_FAILED", "the database is closed");
    if (this.#failure !== undefined) {
      throw new MeshkvError(
        this.#failure.code,
        `no writes until the database is opened again, since one failed: ${this.#failure.message}`,
      );
    }
  }
}
