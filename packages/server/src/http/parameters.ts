/** Query parameters and headers that several routes share, as fields of the handlers' requests. */
import type { IncomingHttpHeaders } from "node:http";
import { TTL_MS_MAX, TTL_MS_MIN } from "@meshkv/core";
import {
  durationFromMs,
  type MessageInitShape,
  type SetRequestSchema,
  WriteConcern_Level,
  type WriteConcernSchema,
} from "@meshkv/protocol";
import { parseDuration } from "../config/units.ts";
import type { ErrorCode } from "@meshkv/core";
import { InputError } from "./problem.ts";

const TTL_BOUNDS = { min: TTL_MS_MIN, max: TTL_MS_MAX };
const TIMEOUT_BOUNDS = { min: 1, max: 3_600_000 };

const LEVELS: Readonly<Record<string, WriteConcern_Level>> = {
  relaxed: WriteConcern_Level.RELAXED,
  local: WriteConcern_Level.LOCAL,
  all: WriteConcern_Level.ALL,
};

/** What every route fails with when this replica is not well, or nobody waits any more. */
export const COMMON_ERRORS: readonly ErrorCode[] = [
  "INVALID_ARGUMENT",
  "PERMISSION_DENIED",
  "UNAVAILABLE",
  "OVERLOADED",
  "INTERNAL",
];

/** What reads fail with beside those. */
export const READ_ERRORS: readonly ErrorCode[] = [
  ...COMMON_ERRORS,
  "SESSION_NOT_MET",
  "DEADLINE_EXCEEDED",
  "STORAGE_FAILED",
];

/** What writes fail with beside those. */
export const WRITE_ERRORS: readonly ErrorCode[] = [
  ...READ_ERRORS,
  "CONCERN_NOT_MET",
  "TOO_LARGE",
  "STORAGE_FULL",
  "CLOCK_SKEW",
];

/** The concern of a write. */
export function concernOf(text: string | undefined): MessageInitShape<typeof WriteConcernSchema> | undefined {
  if (text === undefined) return undefined;
  const level = LEVELS[text];
  if (level !== undefined) return { kind: { case: "level", value: level } };
  return { kind: { case: "replicas", value: Number(text) } };
}

/** How long an entry lives. */
export function ttlOf(
  text: string | undefined,
  loc: readonly (string | number)[] = ["query", "ttl"],
): MessageInitShape<typeof SetRequestSchema>["ttl"] {
  return text === undefined ? undefined : durationFromMs(millisecondsOf(text, TTL_BOUNDS, loc));
}

/** How long the caller waits, in milliseconds; undefined: it does not say. */
export function timeoutMsOf(text: unknown): number | undefined {
  return typeof text === "string" ? millisecondsOf(text, TIMEOUT_BOUNDS, ["query", "timeout"]) : undefined;
}

function millisecondsOf(
  text: string,
  bounds: { readonly min: number; readonly max: number },
  loc: readonly (string | number)[],
): number {
  const result = parseDuration(text, bounds);
  if ("value" in result) return result.value;
  throw new InputError([{ loc, msg: `${String(loc.at(-1))}: ${result.problem}`, type: "value_error" }]);
}

/** A header that may come once. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

/** The headers of an answer that carry its session, when there is one. */
export function sessionHeader(session: string | undefined): Readonly<Record<string, string>> {
  return session === undefined || session === "" ? {} : { "meshkv-session": session };
}
