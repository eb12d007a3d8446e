/** What callers do with keys and values: the same on a client, a typed prefix, and a session. */
import type {
  BatchWrite,
  BatchWritten,
  CallOptions,
  ConflictOptions,
  ConflictsOptions,
  Deleted,
  DeletedPrefix,
  DeleteOptions,
  DeletePrefixOptions,
  ListOptions,
  SetOptions,
  WriteOptions,
  Written,
} from "./call-options.ts";
import type { Conflict, Entry, KeyInfo } from "./entry.ts";
import type { Key } from "./key.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { ValueFormat } from "./value-format.ts";
import type { Watch, WatchOptions } from "./watch.ts";

/**
 * How the values under a prefix are stored.
 *
 * @example
 * ```ts
 * import { connect, type PrefixOptions } from "@meshkv/client";
 * const upper: PrefixOptions<string> = {
 *   format: {
 *     encode: (text) => new TextEncoder().encode(text.toUpperCase()),
 *     decode: (bytes) => new TextDecoder().decode(bytes),
 *   },
 * };
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.prefix("codes/", upper).set("at", "vienna");
 * ```
 */
export type PrefixOptions<V> =
  | {
      /** Checks values as they are written and as they are read: any Standard Schema, such as one of zod or valibot. */
      readonly schema: StandardSchema<V>;
      readonly format?: undefined;
    }
  | {
      /** Stores values in a form of their own. */
      readonly format: ValueFormat<V>;
      readonly schema?: undefined;
    };

/**
 * Keys and values of type `V`. Everything rejects with `MeshkvError`; decide by its `code`.
 *
 * @example
 * ```ts
 * import { connect, type KeyValues } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const hits: KeyValues<number> = kv.prefix<number>("hits/");
 * await hits.set("home", 1);
 * ```
 */
export interface KeyValues<V> {
  /**
   * The entry of a key, or undefined when there is none.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const entry = await kv.get<{ items: number }>("cart/42");
   * console.log(entry?.value.items ?? "no cart");
   * ```
   */
  get<T extends V = V>(key: Key, options?: CallOptions): Promise<Entry<T> | undefined>;

  /**
   * The entries of several keys, in their order. Up to 1,000 keys are read at one position of one replica.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const [a, b] = await kv.getMany(["a", "b"]);
   * console.log(a?.value, b?.value);
   * ```
   */
  getMany<T extends V = V>(keys: readonly Key[], options?: CallOptions): Promise<(Entry<T> | undefined)[]>;

  /**
   * Writes a key.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const { version } = await kv.set("cart/42", { items: 3 }, { ttl: "1h" });
   * await kv.set("cart/42", { items: 4 }, { ifVersion: version });
   * ```
   */
  set(key: Key, value: V, options?: SetOptions): Promise<Written>;

  /**
   * Deletes a key. That there is none is no failure.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const { existed } = await kv.delete("cart/42");
   * console.log(existed);
   * ```
   */
  delete(key: Key, options?: DeleteOptions): Promise<Deleted>;

  /**
   * Deletes every key that begins with a prefix, in steps of 1,000, and says how many there were. An empty prefix is refused
   * unless `all` is set. The version is that of the last step.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const { count } = await kv.deletePrefix("session/");
   * console.log(count);
   * ```
   */
  deletePrefix(prefix: Key, options?: DeletePrefixOptions): Promise<DeletedPrefix>;

  /**
   * Entries in the order of their keys' bytes, page by page as they are asked for.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for await (const { key, value } of kv.list({ prefix: "cart/", limit: 10 })) console.log(key, value);
   * ```
   */
  list<T extends V = V>(options?: ListOptions): AsyncGenerator<Entry<T>, void, undefined>;

  /**
   * The same without values.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for await (const { key } of kv.keys({ start: "a", end: "c" })) console.log(key);
   * ```
   */
  keys(options?: ListOptions): AsyncGenerator<KeyInfo, void, undefined>;

  /**
   * Several writes as one commit of one replica: all of them or none. At most 1,000, and 4 MiB; no key twice.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.batch([{ set: "stock/1", value: 9 }, { set: "order/1", value: { items: 1 } }, { delete: "cart/1" }]);
   * ```
   */
  batch(writes: readonly BatchWrite<V>[], options?: WriteOptions): Promise<BatchWritten>;

  /**
   * Follows changes of a key or of everything under a prefix. Goes on by itself on another replica when it must; ends
   * with RESUME_TOO_OLD when it cannot go on without a gap.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.set("cart/42", { items: 3 });
   * for await (const event of kv.watch({ prefix: "cart/", initial: true })) {
   *   if (event.type === "put") console.log(event.key, event.value);
   *   if (event.type === "synced") break; // what follows would be live
   * }
   * ```
   */
  watch<T extends V = V>(options?: WatchOptions): Watch<T>;

  /**
   * Conflicts that are still kept, in the order of keys.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for await (const { key, winner, losers } of kv.conflicts()) console.log(key, winner?.value, losers);
   * ```
   */
  conflicts<T extends V = V>(options?: ConflictsOptions): AsyncGenerator<Conflict<T>, void, undefined>;

  /**
   * The conflict of one key, or undefined when none of its writes has lost, or none is kept any more.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const conflict = await kv.conflict("cart/42");
   * for (const { version, value } of conflict?.losers ?? []) console.log(version, value);
   * ```
   */
  conflict<T extends V = V>(key: Key, options?: ConflictOptions): Promise<Conflict<T> | undefined>;

  /**
   * Writes a kept loser of a conflict again, as a new write. NOT_FOUND when it is not kept any more.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for await (const { key, losers } of kv.conflicts({ prefix: "cart/" })) {
   *   const [newest] = losers;
   *   if (newest !== undefined && !newest.deleted) await kv.restoreConflict(key, newest.version);
   * }
   * ```
   */
  restoreConflict(key: Key, version: string, options?: WriteOptions): Promise<Written>;

  /**
   * The keys under a prefix, which is left out of them, with values of one type. The type is your word, or a schema checks it.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * interface Cart { items: number }
   * await using kv = await connect("127.0.0.1:4000");
   * const carts = kv.prefix<Cart>("cart/");
   * await carts.set("42", { items: 3 }); // writes the key cart/42
   * ```
   */
  prefix<T = V>(prefix: Key, options?: PrefixOptions<T>): KeyValues<T>;

  /**
   * The same keys with values in another format.
   *
   * @example
   * ```ts
   * import { connect, textFormat } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.as(textFormat).set("motd", "hello");
   * ```
   */
  as<T>(format: ValueFormat<T>): KeyValues<T>;
}
