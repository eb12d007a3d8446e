/** What callers may say about a call. */
import {
  create,
  MeshkvError,
  type WriteConcern,
  WriteConcern_Level,
  WriteConcernSchema,
} from "@meshkv/protocol";
import { durationOf, type TimeSpan } from "./duration.ts";
import type { Key } from "./key.ts";

/**
 * What every call takes.
 *
 * @example
 * ```ts
 * import { connect, type CallOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: CallOptions = { timeout: "2s", signal: AbortSignal.timeout(60_000) };
 * await kv.get("greeting", options);
 * ```
 */
export interface CallOptions {
  /** The time that the call may take, with everything that is tried on the way; the client's own by default. */
  readonly timeout?: TimeSpan | undefined;
  /** Ends the call with CANCELLED. A write that was sent may still be done. */
  readonly signal?: AbortSignal | undefined;
  /** Told the address of the replica that answered; of a list, once for each page. For logs. */
  readonly onAnswer?: ((address: string) => void) | undefined;
}

/**
 * How far a write must have gone before it counts as done: `"relaxed"`: taken, not yet on disk; `"local"`: on the disk of the
 * replica that took it; a number: on the disks of so many replicas in all; `"all"`: on those of all members. Without it, the
 * server's default, which is `"local"` unless it was told otherwise.
 *
 * @example
 * ```ts
 * import { connect, type Concern } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const safe: Concern = 1;
 * await kv.set("order/7", { paid: true }, { concern: safe });
 * ```
 */
export type Concern = "relaxed" | "local" | "all" | number;

/**
 * What every write takes.
 *
 * @example
 * ```ts
 * import { connect, type WriteOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: WriteOptions = { concern: "all", concernTimeout: "500ms" };
 * await kv.set("config", { on: true }, { concern: 1 });
 * console.log(options);
 * ```
 */
export interface WriteOptions extends CallOptions {
  readonly concern?: Concern | undefined;
  /** How long to wait for the others; CONCERN_NOT_MET after that, and the write is there. */
  readonly concernTimeout?: TimeSpan | undefined;
}

/**
 * What must hold on the replica that takes the write; at most one of them. CONDITION_FAILED otherwise, with the current
 * version in the error's metadata. On another replica somebody else may write at the same time: that is a conflict then.
 *
 * @example
 * ```ts
 * import { connect, MeshkvError, type Condition } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const first: Condition = { ifAbsent: true };
 * await kv.set("leader", "me", first).catch((error: unknown) => {
 *   if (!(error instanceof MeshkvError) || error.code !== "CONDITION_FAILED") throw error;
 * });
 * ```
 */
export type Condition =
  | { readonly ifVersion?: undefined; readonly ifAbsent?: undefined; readonly ifPresent?: undefined }
  | { readonly ifVersion: string; readonly ifAbsent?: undefined; readonly ifPresent?: undefined }
  | { readonly ifAbsent: true; readonly ifVersion?: undefined; readonly ifPresent?: undefined }
  | { readonly ifPresent: true; readonly ifVersion?: undefined; readonly ifAbsent?: undefined };

/**
 * What `set` takes.
 *
 * @example
 * ```ts
 * import { connect, type SetOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: SetOptions = { ttl: "15m", ifAbsent: true };
 * await kv.delete("lock");
 * await kv.set("lock", "mine", options);
 * ```
 */
export type SetOptions = WriteOptions &
  Condition & {
    /** The key is forgotten after this, 1 s to 10 years; without it, never. */
    readonly ttl?: TimeSpan | undefined;
  };

/**
 * What `delete` takes.
 *
 * @example
 * ```ts
 * import { connect, type DeleteOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const { version } = await kv.set("draft", "…");
 * const options: DeleteOptions = { ifVersion: version };
 * await kv.delete("draft", options);
 * ```
 */
export type DeleteOptions = WriteOptions & Condition;

/**
 * What `deletePrefix` takes.
 *
 * @example
 * ```ts
 * import { connect, type DeletePrefixOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: DeletePrefixOptions = { timeout: "1m" };
 * await kv.deletePrefix("session/", options);
 * ```
 */
export interface DeletePrefixOptions extends WriteOptions {
  /** Says that an empty prefix is meant: every key of the view. */
  readonly all?: boolean | undefined;
}

/**
 * Which keys to list.
 *
 * @example
 * ```ts
 * import { connect, type ListOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const newest: ListOptions = { prefix: "log/", reverse: true, limit: 10 };
 * for await (const { key, value } of kv.list(newest)) console.log(key, value);
 * ```
 */
export interface ListOptions extends CallOptions {
  readonly prefix?: Key | undefined;
  /** From this key on, itself included. */
  readonly start?: Key | undefined;
  /** Up to this key, itself not included. */
  readonly end?: Key | undefined;
  /** From the last key to the first. */
  readonly reverse?: boolean | undefined;
  /** At most so many. */
  readonly limit?: number | undefined;
  /** Entries asked for at a time, at most 10,000; the server's default of 1,000 otherwise. */
  readonly pageSize?: number | undefined;
}

/**
 * Which conflicts to list.
 *
 * @example
 * ```ts
 * import { connect, type ConflictsOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: ConflictsOptions = { prefix: "cart/" };
 * for await (const { key, losers } of kv.conflicts(options)) console.log(key, losers.length);
 * ```
 */
export interface ConflictsOptions extends ConflictOptions {
  readonly prefix?: Key | undefined;
}

/**
 * Which losers of a conflict to tell of.
 *
 * @example
 * ```ts
 * import { connect, type ConflictOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: ConflictOptions = { settled: true };
 * console.log((await kv.conflict("cart/42", options))?.losers.length ?? 0);
 * ```
 */
export interface ConflictOptions extends CallOptions {
  /** Also those that a later write has settled, as far as the replica that answers has met them. */
  readonly settled?: boolean | undefined;
}

/**
 * One write of a batch: `{ set: key, value }` or `{ delete: key }`, each with a condition if need be.
 *
 * @example
 * ```ts
 * import { connect, type BatchWrite } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const writes: BatchWrite<number>[] = [{ set: "a", value: 1, ttl: "1h" }, { delete: "b" }];
 * await kv.batch(writes);
 * ```
 */
export type BatchWrite<V> =
  | ({
      readonly set: Key;
      readonly value: V;
      readonly ttl?: TimeSpan | undefined;
      readonly delete?: undefined;
    } & Condition)
  | ({ readonly delete: Key; readonly set?: undefined; readonly value?: undefined } & Condition);

/**
 * What a write answers.
 *
 * @example
 * ```ts
 * import { connect, type Written } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const written: Written = await kv.set("greeting", "hello");
 * console.log(written.version, written.replicas);
 * ```
 */
export interface Written {
  /** The version of the write. */
  readonly version: string;
  /** Replicas known to hold it on disk when it was answered; 0 for a relaxed write. */
  readonly replicas: number;
}

/**
 * What a delete answers.
 *
 * @example
 * ```ts
 * import { connect, type Deleted } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const { existed }: Deleted = await kv.delete("greeting");
 * console.log(existed);
 * ```
 */
export interface Deleted extends Written {
  /** Whether there was something to delete, on that replica. */
  readonly existed: boolean;
}

/**
 * What the delete of a prefix answers.
 *
 * @example
 * ```ts
 * import { connect, type DeletedPrefix } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const { count }: DeletedPrefix = await kv.deletePrefix("session/");
 * console.log(count);
 * ```
 */
export interface DeletedPrefix extends Written {
  /** How many keys there were to delete, on that replica. */
  readonly count: number;
}

/**
 * What a batch answers.
 *
 * @example
 * ```ts
 * import { connect, type BatchWritten } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const { versions }: BatchWritten = await kv.batch([{ set: "a", value: 1 }, { set: "b", value: 2 }]);
 * console.log(versions.length);
 * ```
 */
export interface BatchWritten {
  /** One for each write, in order. */
  readonly versions: readonly string[];
  /** Replicas known to hold the batch on disk when it was answered. */
  readonly replicas: number;
}

/** No mesh has as many. */
const REPLICAS_MAX = 1000;

const LEVELS = {
  relaxed: WriteConcern_Level.RELAXED,
  local: WriteConcern_Level.LOCAL,
  all: WriteConcern_Level.ALL,
} as const;

/** The message for a concern, or undefined for the server's default; throws INVALID_ARGUMENT. */
export function concernOf({ concern, concernTimeout }: WriteOptions): WriteConcern | undefined {
  if (concern === undefined && concernTimeout === undefined) return undefined;
  const timeout =
    concernTimeout === undefined ? {} : { timeout: durationOf(concernTimeout, "concernTimeout") };
  return create(WriteConcernSchema, { kind: concernKindOf(concern), ...timeout });
}

function concernKindOf(concern: Concern | undefined): WriteConcern["kind"] {
  if (concern === undefined) return { case: undefined };
  if (typeof concern === "number") {
    if (Number.isInteger(concern) && concern >= 1 && concern <= REPLICAS_MAX)
      return { case: "replicas", value: concern };
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      `concern: ${concern} is no number of replicas: write 1 to ${REPLICAS_MAX}`,
    );
  }
  const level: WriteConcern_Level | undefined = LEVELS[concern];
  if (level !== undefined) return { case: "level", value: level };
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `concern: write "relaxed", "local", "all" or a number of replicas, not ${JSON.stringify(concern)}`,
  );
}

/** Whether the write is answered only when others have it, too: that may take as long as its caller allows. */
export function waitsForOthers({ concern }: WriteOptions): boolean {
  return concern === "all" || (typeof concern === "number" && concern > 1);
}

/** The message for a condition, or undefined; throws INVALID_ARGUMENT for more than one. */
export function conditionOf({
  ifVersion,
  ifAbsent,
  ifPresent,
}: Condition):
  | { kind: { case: "ifVersion"; value: string } | { case: "ifAbsent" | "ifPresent"; value: true } }
  | undefined {
  const given = [ifVersion, ifAbsent, ifPresent].filter((condition) => condition !== undefined);
  if (given.length > 1)
    throw new MeshkvError("INVALID_ARGUMENT", "give one of ifVersion, ifAbsent and ifPresent");
  if (ifVersion !== undefined) return { kind: { case: "ifVersion", value: ifVersion } };
  // What is false or empty must not become a write without a condition.
  if (ifAbsent !== undefined) return { kind: { case: "ifAbsent", value: ifAbsent } };
  if (ifPresent !== undefined) return { kind: { case: "ifPresent", value: ifPresent } };
  return undefined;
}
