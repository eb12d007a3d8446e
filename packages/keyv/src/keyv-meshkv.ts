/** The adapter for Keyv 5: keys come with their namespace in front, lives are relative. */
import { EventEmitter } from "node:events";
import type { MeshkvClient } from "@meshkv/client";
import { type KeyvMeshkvOptions, KeyvStore } from "./keyv-store.ts";

/**
 * A value that Keyv 5 writes.
 *
 * @example
 * ```ts
 * import { KeyvMeshkv, type Keyv5Entry } from "@meshkv/keyv";
 * const store = new KeyvMeshkv("127.0.0.1:4000");
 * const entries: Keyv5Entry[] = [{ key: "a", value: "1", ttl: 60_000 }];
 * await store.setMany(entries);
 * await store.disconnect();
 * ```
 */
export interface Keyv5Entry {
  readonly key: string;
  /** Serialised. */
  readonly value: string;
  /** Milliseconds from now; for ever without it. */
  readonly ttl?: number | undefined;
}

/**
 * A mesh as the store of a Keyv 5. Every replica takes reads and writes; values are what Keyv's serialiser makes of them.
 *
 * @example
 * ```ts
 * import { KeyvMeshkv } from "@meshkv/keyv";
 * import Keyv from "keyv";
 * const cache = new Keyv({ store: new KeyvMeshkv("127.0.0.1:4000"), namespace: "users" });
 * await cache.set("42", { name: "Ada" }, 60_000);
 * console.log(await cache.get("42"));
 * await cache.disconnect();
 * ```
 */
export class KeyvMeshkv extends EventEmitter {
  /** Keyv 5 offers `iterator()` over the stores whose dialect it lists, and ours is none of them. */
  readonly opts = { dialect: "redis", url: "meshkv://" };
  /** Set by Keyv: the namespace that `clear` is about. */
  namespace: string | undefined;
  readonly #store: KeyvStore;

  /** @param mesh a client, which stays yours to close, or addresses to connect to. */
  constructor(mesh: MeshkvClient | string | readonly string[], options: KeyvMeshkvOptions = {}) {
    super();
    this.#store = new KeyvStore(mesh, options);
  }

  /** The serialised value of a key, or undefined. */
  get(key: string): Promise<string | undefined> {
    return this.#store.get(key);
  }

  /** The serialised values of several keys, in their order. */
  getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.#store.getMany(keys);
  }

  /** Writes a serialised value; `ttl` is in milliseconds from now. */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    await this.#store.set({ key, value, ttlMs: ttl });
    return true;
  }

  /** Writes several values, each on its own. */
  async setMany(entries: readonly Keyv5Entry[]): Promise<boolean[]> {
    await Promise.all(entries.map(({ key, value, ttl }) => this.#store.set({ key, value, ttlMs: ttl })));
    return entries.map(() => true);
  }

  /** Deletes a key; whether it was there. */
  async delete(key: string): Promise<boolean> {
    return (await this.#store.deleteMany([key])).includes(true);
  }

  /** Deletes several keys; whether any was there. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return (await this.#store.deleteMany(keys)).includes(true);
  }

  /** Deletes every key of the namespace; without one, every key of this store. */
  clear(): Promise<void> {
    return this.#store.clear(beginningOf(this.namespace));
  }

  /** Whether there is such a key. */
  async has(key: string): Promise<boolean> {
    return (await this.#store.get(key)) !== undefined;
  }

  /** Whether there are such keys, in their order. */
  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.#store.getMany(keys)).map((value) => value !== undefined);
  }

  /** Keys (with their namespace) and serialised values, in the order of keys. */
  iterator(namespace?: string): AsyncGenerator<readonly [key: string, value: string], void, undefined> {
    return this.#store.entries(beginningOf(namespace));
  }

  /** Closes the connection, unless it is a client that was given. */
  disconnect(): Promise<void> {
    return this.#store.disconnect();
  }
}

function beginningOf(namespace: string | undefined): string {
  return namespace === undefined || namespace === "" ? "" : `${namespace}:`;
}
