/** What the adapters for both of Keyv's contracts share: serialised values, written and read through a client. */
import { connect, type KeyValues, type MeshkvClient, textFormat, type TimeSpan } from "@meshkv/client";

/** Shorter lives than a server takes; Keyv's own deadline, inside the value, still counts then. */
const TTL_MS_MIN = 1000;
/** Longer ones: ten years. */
const TTL_MS_MAX = 10 * 365 * 24 * 3600 * 1000;
/** Where the keys of Keyv live among all others. */
const PREFIX_DEFAULT = "keyv/";

/**
 * Where an adapter keeps its keys.
 *
 * @example
 * ```ts
 * import { KeyvMeshkv, type KeyvMeshkvOptions } from "@meshkv/keyv";
 * import Keyv from "keyv";
 * const options: KeyvMeshkvOptions = { prefix: "cache/" };
 * const cache = new Keyv({ store: new KeyvMeshkv("127.0.0.1:4000", options) });
 * await cache.set("greeting", "hello", 60_000);
 * await cache.disconnect();
 * ```
 */
export interface KeyvMeshkvOptions {
  /** The beginning of all its keys in the mesh, `keyv/` by default. `clear()` never touches anything outside. */
  readonly prefix?: string | undefined;
}

/** One value to write. */
export interface StoredValue {
  readonly key: string;
  readonly value: string;
  /** Milliseconds from now; undefined: for ever. */
  readonly ttlMs: number | undefined;
}

/** Keys and serialised values under one prefix. */
export class KeyvStore {
  readonly #client: Promise<MeshkvClient>;
  readonly #values: Promise<KeyValues<string>>;
  readonly #isOwnClient: boolean;

  /** @param mesh a client, which stays the caller's to close, or addresses to connect to. */
  constructor(
    mesh: MeshkvClient | string | readonly string[],
    { prefix = PREFIX_DEFAULT }: KeyvMeshkvOptions,
  ) {
    const isClient = typeof mesh === "object" && "session" in mesh;
    this.#isOwnClient = !isClient;
    // A store is made before it is needed, and perhaps before its mesh: each call says by itself what is wrong.
    this.#client = isClient ? Promise.resolve(mesh) : connect(mesh, { lazy: true });
    this.#values = this.#client.then((client) => client.prefix(prefix, { format: textFormat }));
    // Whoever uses the store is told; nobody may be doing so yet.
    this.#values.catch(() => undefined);
  }

  async get(key: string): Promise<string | undefined> {
    return (await (await this.#values).get(key))?.value;
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    if (keys.length === 0) return [];
    const entries = await (await this.#values).getMany(keys);
    return entries.map((entry) => entry?.value);
  }

  async set({ key, value, ttlMs }: StoredValue): Promise<void> {
    await (await this.#values).set(key, value, ttlMs === undefined ? {} : { ttl: serverTtl(ttlMs) });
  }

  /** Whether each was there. */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    const values = await this.#values;
    const outcomes = await Promise.all(keys.map((key) => values.delete(key)));
    return outcomes.map(({ existed }) => existed);
  }

  /** Deletes every key that begins so; all of the store's when that is empty. */
  async clear(beginning: string): Promise<void> {
    await (await this.#values).deletePrefix(beginning, { all: beginning === "" });
  }

  /** Keys that begin so, and their values. */
  async *entries(beginning: string): AsyncGenerator<readonly [key: string, value: string], void, undefined> {
    for await (const { key, value } of (await this.#values).list({ prefix: beginning })) yield [key, value];
  }

  async disconnect(): Promise<void> {
    if (this.#isOwnClient) await (await this.#client).close();
  }
}

function serverTtl(ttlMs: number): TimeSpan {
  return Math.min(TTL_MS_MAX, Math.max(TTL_MS_MIN, Math.ceil(ttlMs)));
}
