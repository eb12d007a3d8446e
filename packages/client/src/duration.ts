import { type Duration, durationFromMs, MeshkvError } from "@meshkv/protocol";

/**
 * A length of time: a number of milliseconds, or text with a unit: `"500ms"`, `"60s"`, `"15m"`, `"1.5h"`, `"7d"`.
 *
 * @example
 * ```ts
 * import { connect, type TimeSpan } from "@meshkv/client";
 * const hour: TimeSpan = "1h";
 * await using kv = await connect("127.0.0.1:4000", { timeout: 5_000 });
 * await kv.set("visitor/7", "here", { ttl: hour });
 * ```
 */
export type TimeSpan = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Whole milliseconds, not fewer than `least`; throws INVALID_ARGUMENT. */
export function millisecondsOf(span: TimeSpan, what: string, least = 1): number {
  const parts = typeof span === "string" ? /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)$/.exec(span) : undefined;
  const value =
    typeof span === "number" ? span : Number(parts?.[1]) * (UNIT_MS[parts?.[2] ?? ""] ?? Number.NaN);
  const milliseconds = Math.round(value);
  if (Number.isSafeInteger(milliseconds) && milliseconds >= least) return milliseconds;
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `${what}: ${JSON.stringify(span) ?? String(span)} is no length of time: write milliseconds as a number, or text such as "15m"`,
  );
}

/** The message for a length of time; of none, it is the server that says what is wrong. Throws INVALID_ARGUMENT. */
export function durationOf(span: TimeSpan, what: string): Duration {
  return durationFromMs(millisecondsOf(span, what, 0));
}
