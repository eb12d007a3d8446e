/**
 * In which order the operations of one pipeline may run. Writes that are accepted at once keep their order by
 * themselves; so what is remembered is only, per key, what has to wait: operations that could not run at once, and
 * writes that readers do not see yet.
 */
import type { KeyText } from "@meshkv/core";

/** What is known of a write here. */
interface Keyed {
  readonly key: KeyText;
}

/** Writes that become durable together. */
interface UnseenGroup {
  readonly durable: Promise<void>;
  /** Resolves when readers see them; never rejects. */
  readonly seen: Promise<void>;
  readonly keys: Set<KeyText>;
}

export class PipelineOrder {
  /** The last operation of a key that runs by itself. */
  readonly #tails = new Map<KeyText, Promise<void>>();
  /**
   * Groups whose writes are not durable yet: two or three. Each has keys of its own, which go away with it. A map in which
   * keys come and go makes a new table every so often, to which the old one leads: once one table is in the old space of
   * the heap, all that follow get there, with all that was under way, and only a full collection frees them.
   */
  #unseen: readonly UnseenGroup[] = [];
  readonly #running = new Set<Promise<void>>();

  /** Whether writes may be accepted now. */
  mayWrite(writes: readonly Keyed[]): boolean {
    if (this.#tails.size === 0) return true;
    return !writes.some(({ key }) => this.#tails.has(key));
  }

  /** Whether a key may be read now. */
  mayRead(key: KeyText): boolean {
    if (this.#tails.has(key)) return false;
    for (const { keys } of this.#unseen) if (keys.has(key)) return false;
    return true;
  }

  /** Whether operations run by themselves. */
  get isRunning(): boolean {
    return this.#running.size > 0;
  }

  /**
   * Writes were accepted: nobody sees them yet.
   * @param durable settles when they are durable, or have failed; the same for all writes of a commit group
   */
  wrote(writes: readonly Keyed[], durable: Promise<void>): void {
    const last = this.#unseen.at(-1);
    const group = last?.durable === durable ? last : this.#begin(durable);
    for (const { key } of writes) group.keys.add(key);
  }

  #begin(durable: Promise<void>): UnseenGroup {
    const forget = (): void => {
      this.#unseen = this.#unseen.filter((other) => other !== group);
    };
    const group: UnseenGroup = { durable, seen: durable.then(forget, forget), keys: new Set() };
    this.#unseen = [...this.#unseen, group];
    return group;
  }

  /** Runs an operation when everything before it that concerns its keys is done. `work` never rejects. */
  run(keys: readonly KeyText[], work: () => Promise<void>): void {
    const before: Promise<void>[] = [];
    for (const key of keys) {
      const tail = this.#tails.get(key);
      if (tail !== undefined) before.push(tail);
      for (const group of this.#unseen) if (group.keys.has(key)) before.push(group.seen);
    }
    const done = Promise.all(before)
      .then(work)
      .then(() => {
        this.#running.delete(done);
        for (const key of keys) if (this.#tails.get(key) === done) this.#tails.delete(key);
      });
    this.#running.add(done);
    for (const key of keys) this.#tails.set(key, done);
  }

  /** Resolves when everything that was begun is done, or at least to be seen. */
  async quiet(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    await Promise.all(this.#unseen.map(({ seen }) => seen));
  }
}
