/** Keys and values of one type, made of calls. */
import {
  type DeleteRequestSchema,
  type Entry as EntryMessage,
  KeyValue,
  type ListConflictsRequestSchema,
  type ListConflictsResponse,
  type MessageInitShape,
  MeshkvError,
  type SetRequestSchema,
} from "@meshkv/protocol";
import {
  type BatchWrite,
  type BatchWritten,
  type CallOptions,
  type Condition,
  conditionOf,
  concernOf,
  type ConflictOptions,
  type ConflictsOptions,
  type Deleted,
  type DeletedPrefix,
  type DeleteOptions,
  type DeletePrefixOptions,
  type ListOptions,
  type SetOptions,
  type WriteOptions,
  type Written,
} from "../call-options.ts";
import type { CallKind } from "../call/caller.ts";
import { durationOf, type TimeSpan } from "../duration.ts";
import { type Conflict, conflictOf, type Entry, entryOf, type KeyInfo, keyInfoOf } from "../entry.ts";
import { joinedKey, type Key, keyBytes } from "../key.ts";
import type { KeyValues, PrefixOptions } from "../key-values.ts";
import { checkedFormat, type ValueFormat } from "../value-format.ts";
import type { Watch, WatchOptions } from "../watch.ts";
import { callIn, type Scope } from "./scope.ts";
import { WatchStream } from "./watch-stream.ts";

/** Keys read by one call. */
const KEYS_PER_CALL = 1000;
const CONFLICTS_PER_PAGE = 100;

/** The keys under a prefix, with values in one format. */
export class KeyValuesView<V> implements KeyValues<V> {
  readonly #scope: Scope;
  readonly #prefix: Uint8Array;
  readonly #format: ValueFormat<V>;

  constructor(scope: Scope, prefix: Uint8Array, format: ValueFormat<V>) {
    this.#scope = scope;
    this.#prefix = prefix;
    this.#format = format;
  }

  async get<T extends V = V>(key: Key, options: CallOptions = {}): Promise<Entry<T> | undefined> {
    const bytes = this.#keyOf(key);
    const { entry } = await callIn(
      this.#scope,
      KeyValue.method.get,
      (session) => ({ key: bytes, session }),
      { kind: "read", key: bytes },
      options,
    );
    return entry === undefined ? undefined : entryOf(entry, this.#reading<T>());
  }

  async getMany<T extends V = V>(
    keys: readonly Key[],
    options: CallOptions = {},
  ): Promise<(Entry<T> | undefined)[]> {
    const all = keys.map((key) => this.#keyOf(key));
    const found: (EntryMessage | undefined)[] = [];
    for (let index = 0; index < all.length; index += KEYS_PER_CALL) {
      const part = all.slice(index, index + KEYS_PER_CALL);
      const request = (session: string): { keys: Uint8Array[]; session: string } => ({ keys: part, session });
      const reply = await callIn(this.#scope, KeyValue.method.getMany, request, { kind: "read" }, options);
      for (const { entry } of reply.responses) found.push(entry);
    }
    const reading = this.#reading<T>();
    return Promise.all(found.map(async (entry) => entry && (await entryOf(entry, reading))));
  }

  async set(key: Key, value: V, options: SetOptions = {}): Promise<Written> {
    const bytes = this.#keyOf(key);
    const encoded = this.#format.encode(value);
    const fields = { ...this.#setFields(bytes, options), ...this.#writeFields(options) };
    const request = { ...fields, value: encoded instanceof Promise ? await encoded : encoded };
    const { version, replicas } = await callIn(
      this.#scope,
      KeyValue.method.set,
      (session) => ({ ...request, session }),
      { kind: kindOf(options), key: bytes },
      options,
    );
    return { version, replicas };
  }

  async delete(key: Key, options: DeleteOptions = {}): Promise<Deleted> {
    const bytes = this.#keyOf(key);
    const request: MessageInitShape<typeof DeleteRequestSchema> = {
      target: { case: "key", value: bytes },
      ...optional("condition", conditionOf(options)),
      ...this.#writeFields(options),
    };
    const { deleted, version, replicas } = await callIn(
      this.#scope,
      KeyValue.method.delete,
      (session) => ({ ...request, session }),
      { kind: kindOf(options), key: bytes },
      options,
    );
    return { existed: deleted > 0n, version, replicas };
  }

  async deletePrefix(prefix: Key, options: DeletePrefixOptions = {}): Promise<DeletedPrefix> {
    const bytes = keyBytes(prefix);
    if (bytes.length === 0 && options.all !== true) {
      throw new MeshkvError(
        "INVALID_ARGUMENT",
        "an empty prefix means every key: set all: true if that is what you want",
      );
    }
    const whole = joinedKey(this.#prefix, bytes);
    const request: MessageInitShape<typeof DeleteRequestSchema> = {
      target: { case: "prefix", value: whole },
      all: whole.length === 0,
      ...this.#writeFields(options),
    };
    const { deleted, version, replicas } = await callIn(
      this.#scope,
      KeyValue.method.delete,
      (session) => ({ ...request, session }),
      { kind: "write" },
      options,
    );
    return { count: Number(deleted), version, replicas };
  }

  async *list<T extends V = V>(options: ListOptions = {}): AsyncGenerator<Entry<T>, void, undefined> {
    const reading = this.#reading<T>();
    for await (const page of this.#pages(options, false)) {
      for (const entry of page) yield await entryOf(entry, reading);
    }
  }

  async *keys(options: ListOptions = {}): AsyncGenerator<KeyInfo, void, undefined> {
    for await (const page of this.#pages(options, true)) {
      for (const entry of page) yield keyInfoOf(entry, this.#prefix.length);
    }
  }

  async batch(writes: readonly BatchWrite<V>[], options: WriteOptions = {}): Promise<BatchWritten> {
    const messages = await Promise.all(writes.map((write) => this.#writeMessage(write)));
    const isConditional = writes.some((write) => kindOf(write) === "conditional");
    const fields = this.#writeFields(options);
    const { versions, replicas } = await callIn(
      this.#scope,
      KeyValue.method.batch,
      (session) => ({ writes: messages, ...fields, session }),
      { kind: isConditional ? "conditional" : "write" },
      options,
    );
    return { versions, replicas };
  }

  watch<T extends V = V>(options: WatchOptions = {}): Watch<T> {
    const { key, prefix } = options;
    const target =
      key === undefined
        ? { case: "prefix" as const, value: joinedKey(this.#prefix, prefix ?? "") }
        : { case: "key" as const, value: this.#keyOf(key) };
    return new WatchStream<T>(this.#scope, target, this.#reading<T>(), options);
  }

  async *conflicts<T extends V = V>(
    options: ConflictsOptions = {},
  ): AsyncGenerator<Conflict<T>, void, undefined> {
    const prefix = joinedKey(this.#prefix, options.prefix ?? "");
    const reading = this.#reading<T>();
    for (let pageToken = ""; ; ) {
      const page = { prefix, pageToken, pageSize: CONFLICTS_PER_PAGE };
      const { conflicts, nextPageToken } = await this.#conflictPage(page, options);
      for (const conflict of conflicts) yield await conflictOf(conflict, reading);
      if (nextPageToken === "") return;
      pageToken = nextPageToken;
    }
  }

  async conflict<T extends V = V>(key: Key, options: ConflictOptions = {}): Promise<Conflict<T> | undefined> {
    const bytes = this.#keyOf(key);
    // A key is the first one under itself as a prefix.
    const { conflicts } = await this.#conflictPage({ prefix: bytes, pageSize: 1 }, options);
    const [found] = conflicts;
    const isOfKey = (found?.winner ?? found?.losers[0])?.key.length === bytes.length;
    return found !== undefined && isOfKey ? conflictOf(found, this.#reading<T>()) : undefined;
  }

  async restoreConflict(key: Key, version: string, options: WriteOptions = {}): Promise<Written> {
    const bytes = this.#keyOf(key);
    const request = { key: bytes, version, ...this.#writeFields(options) };
    const reply = await callIn(
      this.#scope,
      KeyValue.method.restoreConflict,
      (session) => ({ ...request, session }),
      // Another replica may have settled the conflict already: there it would be another question.
      { kind: "conditional", key: bytes },
      options,
    );
    return { version: reply.version, replicas: reply.replicas };
  }

  prefix<T = V>(prefix: Key, options?: PrefixOptions<T>): KeyValues<T> {
    const whole = joinedKey(this.#prefix, prefix);
    if (options?.schema !== undefined)
      return new KeyValuesView(this.#scope, whole, checkedFormat(options.schema));
    if (options?.format !== undefined) return new KeyValuesView(this.#scope, whole, options.format);
    // The caller's word for the type; the bytes are those of this view's format.
    return new KeyValuesView<T>(this.#scope, whole, this.#format as unknown as ValueFormat<T>);
  }

  as<T>(format: ValueFormat<T>): KeyValues<T> {
    return new KeyValuesView(this.#scope, this.#prefix, format);
  }

  #conflictPage(
    request: MessageInitShape<typeof ListConflictsRequestSchema>,
    options: ConflictOptions,
  ): Promise<ListConflictsResponse> {
    return callIn(
      this.#scope,
      KeyValue.method.listConflicts,
      (session) => ({ ...request, session, includeSettled: options.settled === true }),
      { kind: "read" },
      options,
    );
  }

  #keyOf(key: Key): Uint8Array {
    const bytes = joinedKey(this.#prefix, key);
    if (bytes.length > 0) return bytes;
    throw new MeshkvError("INVALID_ARGUMENT", "the key is empty: a key has 1 to 1,024 bytes");
  }

  #reading<T extends V>(): { readonly prefixBytes: number; readonly format: ValueFormat<T> } {
    // A narrower type is the caller's word, as it is with JSON in general.
    return { prefixBytes: this.#prefix.length, format: this.#format as unknown as ValueFormat<T> };
  }

  #setFields(
    key: Uint8Array,
    write: Condition & { readonly ttl?: TimeSpan | undefined },
  ): MessageInitShape<typeof SetRequestSchema> {
    const ttl = write.ttl === undefined ? undefined : durationOf(write.ttl, "ttl");
    return { key, ...optional("ttl", ttl), ...optional("condition", conditionOf(write)) };
  }

  #writeFields(options: WriteOptions): {
    readonly requestId: string;
    readonly concern?: NonNullable<ReturnType<typeof concernOf>>;
  } {
    return { requestId: this.#scope.nextRequestId(), ...optional("concern", concernOf(options)) };
  }

  async #writeMessage(write: BatchWrite<V>): Promise<BatchMessage> {
    if (write.set !== undefined) {
      const value = await this.#format.encode(write.value);
      return { kind: { case: "set", value: { ...this.#setFields(this.#keyOf(write.set), write), value } } };
    }
    if (write.delete === undefined) {
      throw new MeshkvError(
        "INVALID_ARGUMENT",
        "a write of a batch is { set: key, value } or { delete: key }",
      );
    }
    const target = { case: "key" as const, value: this.#keyOf(write.delete) };
    return { kind: { case: "delete", value: { target, ...optional("condition", conditionOf(write)) } } };
  }

  async *#pages(options: ListOptions, keysOnly: boolean): AsyncGenerator<readonly EntryMessage[]> {
    const { start, end, reverse = false, limit = Number.POSITIVE_INFINITY, pageSize = 0 } = options;
    if (!(limit >= 0) || (Number.isFinite(limit) && !Number.isInteger(limit))) {
      throw new MeshkvError("INVALID_ARGUMENT", `limit: ${limit} is no count: write a whole number`);
    }
    const request = {
      prefix: joinedKey(this.#prefix, options.prefix ?? ""),
      start: start === undefined ? EMPTY : this.#keyOf(start),
      end: end === undefined ? EMPTY : this.#keyOf(end),
      reverse,
      keysOnly,
    };
    let remaining = limit;
    for (let pageToken = ""; remaining > 0; ) {
      // Servers take a page size of 32 bits, and clamp it.
      const size = Math.min(remaining, pageSize === 0 ? 1000 : pageSize, 10_000);
      const reply = await callIn(
        this.#scope,
        KeyValue.method.list,
        (session) => ({ ...request, pageToken, pageSize: size, session }),
        { kind: "read" },
        options,
      );
      yield reply.entries;
      remaining -= reply.entries.length;
      if (reply.nextPageToken === "") return;
      pageToken = reply.nextPageToken;
    }
  }
}

type BatchMessage = NonNullable<MessageInitShape<typeof KeyValue.method.batch.input>["writes"]>[number];

const EMPTY = new Uint8Array();

function kindOf({ ifVersion, ifAbsent, ifPresent }: Condition): CallKind {
  return (ifVersion ?? ifAbsent ?? ifPresent) === undefined ? "write" : "conditional";
}

/** An object with one property, or none when there is no value. */
function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Property in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Property in Name]?: Value });
}
