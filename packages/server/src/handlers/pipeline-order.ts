/**
 * In which order the operations of one pipeline may run. Writes that are accepted at once keep their order by
 * themselves; so what is remembered is only, per key, what has to wait: operations that could not run at once, and
 * writes that readers do not see yet.
 */
import type { KeyText } from "@meshkv/core";
import type { CommitTicket } from "./local-replica.ts";

export class PipelineOrder {
  /** The last operation of a key that runs by itself. */
  readonly #tails = new Map<KeyText, Promise<void>>();
  /** The last write of a key that is not durable yet. */
  readonly #writing = new Map<KeyText, CommitTicket>();
  readonly #running = new Set<Promise<void>>();
  #lastTicket: CommitTicket | undefined;

  /** Whether a write of these keys may be accepted now. */
  mayWrite(keys: readonly KeyText[]): boolean {
    if (this.#tails.size === 0) return true;
    return !keys.some((key) => this.#tails.has(key));
  }

  /** Whether a key may be read now. */
  mayRead(key: KeyText): boolean {
    return !this.#tails.has(key) && !this.#writing.has(key);
  }

  /** Whether operations run by themselves. */
  get isRunning(): boolean {
    return this.#running.size > 0;
  }

  /** A write was accepted: until it is durable nobody sees it. */
  wrote(keys: readonly KeyText[], ticket: CommitTicket): void {
    this.#lastTicket = ticket;
    for (const key of keys) this.#writing.set(key, ticket);
  }

  /** The write is durable, or has failed. */
  settled(keys: readonly KeyText[], ticket: CommitTicket): void {
    for (const key of keys) if (this.#writing.get(key) === ticket) this.#writing.delete(key);
  }

  /** Runs an operation when everything before it that concerns its keys is done. `work` never rejects. */
  run(keys: readonly KeyText[], work: () => Promise<void>): void {
    const before: Promise<void>[] = [];
    for (const key of keys) {
      const tail = this.#tails.get(key);
      if (tail !== undefined) before.push(tail);
      const ticket = this.#writing.get(key);
      if (ticket !== undefined) before.push(ticket.durable.catch(() => undefined));
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
    await this.#lastTicket?.durable.catch(() => undefined);
  }
}
