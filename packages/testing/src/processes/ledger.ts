/**
 * What clients of a test have written and were told, to judge what is left at the end. Each key is written by one writer
 * at a time, so what may stand there is what was acknowledged last, or what was tried after it with an unknown end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, MeshkvError } from "@meshkv/core";
import type { MeshClient } from "./mesh-client.ts";

/** With these a server has refused a write before it did anything. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "STORAGE_FULL",
  "CLOCK_SKEW",
  "TOO_LARGE",
  "INVALID_ARGUMENT",
]);

/** Between two writes of one writer: the test's processes share the machine's processors with the servers. */
const PAUSE_MS = 5;

/** Notes writes as they are made, and judges a state by them. */
export class Ledger {
  /** What may stand at each key; undefined: no entry. */
  readonly #allowed = new Map<string, Set<string | undefined>>();
  /** Writes that were acknowledged. */
  acknowledged = 0;
  /** Writes of which nobody knows whether they were done. */
  uncertain = 0;

  /** Sets a key; resolves to the refusal or failure, if any. */
  set(client: MeshClient, key: string, value: string): Promise<MeshkvError | undefined> {
    return this.#attempt(key, value, () => client.set(key, value));
  }

  /** Deletes a key; resolves to the refusal or failure, if any. */
  delete(client: MeshClient, key: string): Promise<MeshkvError | undefined> {
    return this.#attempt(key, undefined, () => client.delete(key));
  }

  /** Notes that a key was acknowledged with a value. */
  note(key: string, value: string | undefined): void {
    this.#allowed.set(key, new Set([value]));
    this.acknowledged += 1;
  }

  /** Sets a key, and takes the write for uncertain whatever comes of it. */
  async maybeSet(client: MeshClient, key: string, value: string): Promise<void> {
    this.#allowed.set(key, new Set([...(this.#allowed.get(key) ?? [undefined]), value]));
    this.uncertain += 1;
    await client.set(key, value).catch(() => undefined);
  }

  async #attempt(
    key: string,
    value: string | undefined,
    write: () => Promise<unknown>,
  ): Promise<MeshkvError | undefined> {
    const allowed = this.#allowed.get(key) ?? new Set([undefined]);
    try {
      await write();
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      if (!REFUSALS.has(error.code)) {
        this.#allowed.set(key, new Set([...allowed, value]));
        this.uncertain += 1;
      }
      return error;
    }
    this.note(key, value);
    return undefined;
  }

  /** Sets, changes and deletes keys under a prefix, one after the other, until the signal aborts. */
  async writeUntil(signal: AbortSignal, client: MeshClient, prefix: string): Promise<MeshkvError[]> {
    const errors: MeshkvError[] = [];
    for (let number = 0; !signal.aborted; number += 1) {
      // Few enough keys that each is written again and again.
      const key = `${prefix}${(number * 7) % 40}`;
      const isDelete = number % 5 === 4;
      const error = await (isDelete ? this.delete(client, key) : this.set(client, key, `${prefix}${number}`));
      if (error !== undefined) errors.push(error);
      await sleep(PAUSE_MS);
    }
    return errors;
  }

  /** What is wrong with a state: one line for each key that holds what it must not. Empty when all is well. */
  problems(state: ReadonlyMap<string, string>): string[] {
    const problems: string[] = [];
    for (const [key, allowed] of this.#allowed) {
      if (!allowed.has(state.get(key))) {
        problems.push(`${key} holds ${show(state.get(key))}, not ${[...allowed].map(show).join(" or ")}`);
      }
    }
    for (const key of state.keys()) if (!this.#allowed.has(key)) problems.push(`${key} was never written`);
    return problems;
  }
}

function show(value: string | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value.slice(0, 40));
}
