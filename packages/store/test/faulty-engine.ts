/** An engine around another one whose writes can be held back and made to fail: the test's hook is the port itself. */
import type { Engine, EngineBatch, EngineIterator, EngineRange } from "../src/engine.ts";

export class FaultyEngine implements Engine {
  readonly #inner: Engine;
  /** What the next writes fail with, in order; undefined writes as usual. */
  readonly failures: (Error | undefined)[] = [];
  /** What reads of single rows fail with. */
  readFailure: Error | undefined;
  /** Batches written so far, failed ones included. */
  writes = 0;
  #held: (() => void)[] | undefined;

  constructor(inner: Engine) {
    this.#inner = inner;
  }

  /** From now on batches are applied, but their writes do not resolve until `release`. */
  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const resume of held) resume();
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    if (this.readFailure !== undefined) throw this.readFailure;
    return this.#inner.getSync(key);
  }

  iterator(range: EngineRange): EngineIterator {
    return this.#inner.iterator(range);
  }

  batch(): EngineBatch {
    const batch = this.#inner.batch();
    return {
      put: (key, value) => batch.put(key, value),
      del: (key) => batch.del(key),
      close: () => batch.close(),
      write: async (options) => {
        this.writes += 1;
        const failure = this.failures.shift();
        if (failure !== undefined) {
          await batch.close();
          throw failure;
        }
        // As LevelDB does: readers of the engine see the batch before its promise resolves.
        await batch.write(options);
        const held = this.#held;
        if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
      },
    };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
