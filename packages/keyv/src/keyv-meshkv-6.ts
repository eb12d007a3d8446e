/** The adapter for Keyv 6: keys come without their namespace, lives are absolute. */
import { EventEmitter } from "node:events";
import type { MeshkvClient } from "@meshkv/client";
import { type KeyvMeshkvOptions, KeyvStore } from "./keyv-store.ts";

/**
 * A value that Keyv 6 writes.
 *
 * @example
 * ```ts
 * import { KeyvMeshkv6, type Keyv6Entry } from "@meshkv/keyv";
 * const store = new KeyvMeshkv6("127.0.0.1:4000");
 * const entries: Keyv6Entry[] = [{ key: "a", value: "1", expires: Date.now() + 60_000 }];
 * await store.setMany(entries);
 * await store.disconnect();
 * ```
 */
export interface Keyv6Entry {
  readonly key: string;
  /** Serialised. */
  readonly value: unknown;
  /** Milliseconds since 1970; for ever without it. */
  readonly expires?: number | undefined;
}

/** @inline */
interface StorageMethod {
  readonly exists: boolean;
  readonly methodType: "async";
}

const METHOD: StorageMethod = { exists: true, methodType: "async" };

/**
 * A mesh as the store of a Keyv 6 (which itself needs Node 22.19 or newer).
 *
 * @example
 * ```ts
 * import { KeyvMeshkv6 } from "@meshkv/keyv";
 * // const cache = new Keyv({ store, namespace: "users" }), with a Keyv 6
 * const store = new KeyvMeshkv6("127.0.0.1:4000");
 * await store.set("greeting", "hello", Date.now() + 60_000);
 * console.log(await store.get("greeting"));
 * await store.disconnect();
 * ```
 */
export class KeyvMeshkv6 extends EventEmitter {
  /** Tells Keyv that deadlines are taken as they are. */
  readonly capabilities = {
    compatible: true,
    store: "keyvStorage",
    expires: true,
    methods: {
      get: METHOD,
      set: METHOD,
      setMany: METHOD,
      delete: METHOD,
      deleteMany: METHOD,
      clear: METHOD,
      has: METHOD,
      hasMany: METHOD,
      getMany: METHOD,
      disconnect: METHOD,
      iterator: METHOD,
    },
  } as const;
  /** Set by Keyv: the namespace that everything is about. */
  namespace: string | undefined;
  readonly #store: KeyvStore;

  /** @param mesh a client, which stays yours to close, or addresses to connect to. */
  constructor(mesh: MeshkvClient | string | readonly string[], options: KeyvMeshkvOptions = {}) {
    super();
    this.#store = new KeyvStore(mesh, options);
  }

  get #beginning(): string {
    return this.namespace === undefined || this.namespace === "" ? "" : `${this.namespace}::`;
  }

  /** The serialised value of a key, or undefined. */
  get(key: string): Promise<string | undefined> {
    return this.#store.get(this.#beginning + key);
  }

  /** The serialised values of several keys, in their order. */
  getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.#store.getMany(keys.map((key) => this.#beginning + key));
  }

  /** Writes a serialised value; `expires` is in milliseconds since 1970. One that lies in the past deletes the key. */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.#write({ key, value, expires });
    return true;
  }

  /** Writes several values, each on its own. */
  async setMany(entries: readonly Keyv6Entry[]): Promise<boolean[]> {
    await Promise.all(entries.map((entry) => this.#write(entry)));
    return entries.map(() => true);
  }

  /** Deletes a key; whether it was there. */
  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key])).includes(true);
  }

  /** Deletes several keys; whether each was there. */
  deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return this.#store.deleteMany(keys.map((key) => this.#beginning + key));
  }

  /** Deletes every key of the namespace; without one, every key of this store. */
  clear(): Promise<void> {
    return this.#store.clear(this.#beginning);
  }

  /** Whether there is such a key. */
  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** Whether there are such keys, in their order. */
  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Keys (without their namespace) and serialised values, in the order of keys. */
  async *iterator(): AsyncGenerator<[key: string, value: string], void, undefined> {
    const beginning = this.#beginning;
    for await (const [key, value] of this.#store.entries(beginning))
      yield [key.slice(beginning.length), value];
  }

  /** Closes the connection, unless it is a client that was given. */
  disconnect(): Promise<void> {
    return this.#store.disconnect();
  }

  async #write({ key, value, expires }: Keyv6Entry): Promise<void> {
    if (typeof value !== "string") {
      throw new TypeError("KeyvMeshkv6 stores serialised values: leave Keyv's serialization on");
    }
    const ttlMs = expires === undefined ? undefined : expires - Date.now();
    if (ttlMs !== undefined && ttlMs <= 0) await this.#store.deleteMany([this.#beginning + key]);
    else await this.#store.set({ key: this.#beginning + key, value, ttlMs });
  }
}
