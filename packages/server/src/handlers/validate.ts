/**
 * The one place where requests of clients are checked. What passes can be given to the replica; what does not is
 * refused with what was wrong, the value, and what to do. `metadata.field` names the field.
 */
import {
  KEY_BYTES_MAX,
  type KeyText,
  keyTextFromBytes,
  MeshkvError,
  PAGE_SIZE_DEFAULT,
  PAGE_SIZE_MAX,
  parseReplicaId,
  parseVersion,
  type ReplicaId,
  TTL_MS_MAX,
  TTL_MS_MIN,
} from "@meshkv/core";
import { type Condition, type Duration, type WriteConcern, WriteConcern_Level } from "@meshkv/protocol";
import { type KeyRange, intersect, prefixRange } from "./key-range.ts";
import type { WriteCondition, WriteConcern as LocalConcern } from "./local-replica.ts";
import { quoteBytes, quoteText } from "./quote-bytes.ts";

/** A refusal of a field. */
export function invalid(field: string, text: string): MeshkvError {
  return new MeshkvError("INVALID_ARGUMENT", `${field}: ${text}`, { field });
}

/** A refusal of a field over its limit; `limit` in its own unit. */
export function tooLarge(field: string, text: string, limit: number): MeshkvError {
  return new MeshkvError("TOO_LARGE", `${field}: ${text}`, { field, limit: String(limit) });
}

/** A key: 1 to 1,024 bytes, any bytes. */
export function requireKey(bytes: Uint8Array, field = "key"): KeyText {
  if (bytes.length === 0) throw invalid(field, `is empty: a key has 1 to ${KEY_BYTES_MAX} bytes`);
  return requireBound(bytes, field, KEY_BYTES_MAX);
}

function requireBound(bytes: Uint8Array, field: string, bytesMax: number): KeyText {
  if (bytes.length > bytesMax) {
    throw tooLarge(field, `${quoteBytes(bytes)} is longer than ${bytesMax} bytes: shorten it`, bytesMax);
  }
  return keyTextFromBytes(bytes);
}

/** A prefix of keys, which may be empty. */
export function requirePrefix(bytes: Uint8Array, field = "prefix"): KeyText {
  return requireBound(bytes, field, KEY_BYTES_MAX);
}

/** A value. */
export function requireValue(value: Uint8Array, valueBytesMax: number, field = "value"): Uint8Array {
  if (value.length <= valueBytesMax) return value;
  const text = `${value.length} bytes are over the limit of ${valueBytesMax} bytes: store less under one key`;
  throw tooLarge(field, text, valueBytesMax);
}

const DURATION_SECONDS_MAX = 315_576_000_000;
const NANOS_MAX = 999_999_999;

/** A duration in milliseconds, rounded down; negative ones and such that protobuf does not allow are refused. */
export function requireDurationMs({ seconds, nanos }: Duration, field: string): number {
  const whole = Number(seconds);
  const isWellFormed =
    Math.abs(whole) <= DURATION_SECONDS_MAX &&
    Math.abs(nanos) <= NANOS_MAX &&
    (whole === 0 || nanos === 0 || whole > 0 === nanos > 0);
  if (!isWellFormed)
    throw invalid(field, `${seconds} s and ${nanos} ns are no duration: both must have one sign`);
  if (whole < 0 || nanos < 0)
    throw invalid(field, `${whole + nanos / 1e9} s is negative: send a positive duration`);
  return whole * 1000 + Math.floor(nanos / 1e6);
}

/** When an entry ends, in Unix milliseconds; 0 for never, without a TTL. */
export function requireExpiry(ttl: Duration | undefined, nowMs: number, field = "ttl"): number {
  if (ttl === undefined) return 0;
  const ttlMs = requireDurationMs(ttl, field);
  if (ttlMs < TTL_MS_MIN) {
    throw invalid(
      field,
      `${ttlMs} ms is under ${TTL_MS_MIN} ms: ask for more, or leave ttl out to keep the entry`,
    );
  }
  if (ttlMs > TTL_MS_MAX) {
    throw invalid(field, `${ttlMs / 1000} s is over ten years: leave ttl out to keep the entry`);
  }
  return Math.floor(nowMs) + ttlMs;
}

/** A condition of a write. One that is set says something, or is refused: never is it unconditional by accident. */
export function requireCondition(
  condition: Condition | undefined,
  field = "condition",
): WriteCondition | undefined {
  if (condition === undefined) return undefined;
  const { kind } = condition;
  switch (kind.case) {
    case "ifVersion": {
      const version = parseVersion(kind.value);
      if (version === undefined) {
        const text = `${quoteText(kind.value)} is no version: send the 32 hex digits that a read or write has answered`;
        throw invalid(`${field}.if_version`, text);
      }
      return { kind: "version", version };
    }
    case "ifAbsent":
      if (!kind.value)
        throw invalid(`${field}.if_absent`, "is false: set it to true, or leave condition out");
      return { kind: "absent" };
    case "ifPresent":
      if (!kind.value)
        throw invalid(`${field}.if_present`, "is false: set it to true, or leave condition out");
      return { kind: "present" };
    case undefined:
      throw invalid(
        field,
        "says nothing that is known here: set if_version, if_absent or if_present, or leave it out",
      );
  }
}

/** The concern of a write, and how long to wait for it if the request says so. */
export interface ConcernRequest {
  readonly concern: LocalConcern;
  readonly timeoutMs: number | undefined;
}

/** The concern of a write; `fallback` where the request leaves it to the server. */
export function requireConcern(concern: WriteConcern | undefined, fallback: LocalConcern): ConcernRequest {
  if (concern === undefined) return { concern: fallback, timeoutMs: undefined };
  const timeoutMs =
    concern.timeout === undefined ? undefined : requireDurationMs(concern.timeout, "concern.timeout");
  return { concern: localConcern(concern.kind, fallback), timeoutMs };
}

function localConcern(kind: WriteConcern["kind"], fallback: LocalConcern): LocalConcern {
  if (kind.case === undefined) return fallback;
  if (kind.case === "replicas") {
    if (kind.value > 0) return { kind: "replicas", count: kind.value };
    throw invalid("concern.replicas", "is 0: ask for 1 or more, this replica included, or for level RELAXED");
  }
  switch (kind.value) {
    case WriteConcern_Level.UNSPECIFIED:
      return fallback;
    case WriteConcern_Level.RELAXED:
      return { kind: "relaxed" };
    case WriteConcern_Level.LOCAL:
      return { kind: "replicas", count: 1 };
    case WriteConcern_Level.ALL:
      return { kind: "all" };
    default:
      throw invalid(
        "concern.level",
        `${kind.value} is no level that is known here: send RELAXED, LOCAL or ALL`,
      );
  }
}

/** The range of a list: what `prefix`, `start` and `end` have in common. */
export function requireRange(request: { prefix: Uint8Array; start: Uint8Array; end: Uint8Array }): KeyRange {
  const prefix = requirePrefix(request.prefix);
  // One byte more than a key: the bound just after the longest key.
  const start = requireBound(request.start, "start", KEY_BYTES_MAX + 1);
  const end = requireBound(request.end, "end", KEY_BYTES_MAX + 1);
  if (start !== "" && end !== "" && start > end) {
    const text = `${quoteBytes(request.start)} comes after end, ${quoteBytes(request.end)}: swap them; for the other direction set reverse`;
    throw invalid("start", text);
  }
  return intersect(prefixRange(prefix), {
    start: start === "" ? undefined : start,
    end: end === "" ? undefined : end,
  });
}

/** Entries of a page: the default for 0, and never more than the limit. */
export function pageSize(requested: number): number {
  return requested === 0 ? PAGE_SIZE_DEFAULT : Math.min(requested, PAGE_SIZE_MAX);
}

/** The id of a replica. */
export function requireReplicaId(text: string, field = "replica_id"): ReplicaId {
  const id = parseReplicaId(text);
  if (id !== undefined) return id;
  throw invalid(field, `${quoteText(text)} is no replica id: send the 16 hex digits that ListMembers shows`);
}
