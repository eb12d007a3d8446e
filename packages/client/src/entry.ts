/** Entries as callers see them. */
import {
  type Entry as EntryMessage,
  type ListConflictsResponse_Conflict,
  type Timestamp,
  timestampMs,
} from "@meshkv/protocol";
import { keyText } from "./key.ts";
import type { ValueFormat } from "./value-format.ts";

/**
 * A key without its value.
 *
 * @example
 * ```ts
 * import { connect, type KeyInfo } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const known: KeyInfo[] = [];
 * for await (const info of kv.keys({ prefix: "cart/" })) known.push(info);
 * ```
 */
export interface KeyInfo {
  /** The key as text, without the prefix of the view. Bytes that are not UTF-8 show as U+FFFD. */
  readonly key: string;
  /** The key as it is, without the prefix of the view. */
  readonly keyBytes: Uint8Array;
  /** The version of the write that this comes from: 32 hex digits; their order is the order of versions. */
  readonly version: string;
  /** When the key will be forgotten; undefined: never. */
  readonly expireTime: Date | undefined;
  /** Concurrent writes that lost against this one and are still kept. */
  readonly conflicts: number;
  /** When it was written, by the clock of the replica that took it. */
  readonly updateTime: Date | undefined;
  /** The id of the replica that took the write. */
  readonly origin: string;
}

/**
 * A key and its value.
 *
 * @example
 * ```ts
 * import { connect, type Entry } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.set("cart/42", { items: 3 });
 * const entry: Entry<{ items: number }> | undefined = await kv.get<{ items: number }>("cart/42");
 * console.log(entry?.value.items, entry?.version);
 * ```
 */
export interface Entry<V> extends KeyInfo {
  readonly value: V;
}

/**
 * A record of a conflict: a write or a delete.
 *
 * @example
 * ```ts
 * import { connect, type ConflictRecord } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const show = (record: ConflictRecord<unknown>) => (record.deleted ? "a delete" : record.value);
 * for await (const { losers } of kv.conflicts()) console.log(losers.map(show));
 * ```
 */
export interface ConflictRecord<V> extends KeyInfo {
  /** Whether it is a delete; it has no value then. */
  readonly deleted: boolean;
  readonly value: V | undefined;
  /** Whether a later write has seen it, so that nobody needs to look at it any more. */
  readonly settled: boolean;
}

/**
 * Concurrent writes of one key: the one that won, and those that lost and are still kept, newest first.
 *
 * @example
 * ```ts
 * import { connect, type Conflict } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const found: Conflict<unknown>[] = [];
 * for await (const conflict of kv.conflicts({ prefix: "cart/" })) found.push(conflict);
 * ```
 */
export interface Conflict<V> {
  /** The key as text, without the prefix of the view. Bytes that are not UTF-8 show as U+FFFD. */
  readonly key: string;
  /** The key as it is, without the prefix of the view. */
  readonly keyBytes: Uint8Array;
  /** Undefined when the key was forgotten meanwhile. */
  readonly winner: ConflictRecord<V> | undefined;
  readonly losers: readonly ConflictRecord<V>[];
}

/** A view's way of reading entries. */
export interface EntryReading<V> {
  readonly prefixBytes: number;
  readonly format: ValueFormat<V>;
}

/** The message without its value. */
export function keyInfoOf(message: EntryMessage, prefixBytes: number): KeyInfo {
  const bytes = prefixBytes === 0 ? message.key : message.key.subarray(prefixBytes);
  return {
    key: keyText(bytes),
    keyBytes: bytes,
    version: message.version,
    expireTime: dateOf(message.expireTime),
    conflicts: message.conflictCount,
    updateTime: dateOf(message.updateTime),
    origin: message.origin,
  };
}

/** The message with its value. */
export async function entryOf<V>(
  message: EntryMessage,
  { prefixBytes, format }: EntryReading<V>,
): Promise<Entry<V>> {
  const info = keyInfoOf(message, prefixBytes);
  return { ...info, value: await format.decode(message.value, info.key) };
}

/** The message as callers see it. */
export async function conflictOf<V>(
  { winner, losers }: ListConflictsResponse_Conflict,
  reading: EntryReading<V>,
): Promise<Conflict<V>> {
  const bytes = (winner ?? losers[0])?.key.subarray(reading.prefixBytes) ?? new Uint8Array();
  return {
    key: keyText(bytes),
    keyBytes: bytes,
    winner: winner && (await conflictRecordOf(winner, reading)),
    losers: await Promise.all(losers.map((loser) => conflictRecordOf(loser, reading))),
  };
}

async function conflictRecordOf<V>(
  message: EntryMessage,
  { prefixBytes, format }: EntryReading<V>,
): Promise<ConflictRecord<V>> {
  const info = keyInfoOf(message, prefixBytes);
  const { deleted, settled } = message;
  const value = deleted ? undefined : await format.decode(message.value, info.key);
  return { ...info, deleted, settled, value };
}

function dateOf(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(timestampMs(time));
}
