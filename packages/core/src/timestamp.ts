/**
 * Hybrid logical clock reading in one safe integer (53 bits): milliseconds since 2024-01-01T00:00Z in the upper 41
 * bits, a counter in the lower 12. Arithmetic is by multiplication, never by 32-bit shifts.
 */
export type Timestamp = number;

/** 2024-01-01T00:00:00Z in Unix milliseconds: the zero of timestamps. */
export const EPOCH_MS = 1_704_067_200_000;

/** Timestamps per millisecond (12 bits of counter). */
export const TICKS_PER_MS = 4096;

/** The greatest timestamp that can be expressed. */
export const TIMESTAMP_MAX: Timestamp = Number.MAX_SAFE_INTEGER;

/** The first timestamp of a Unix millisecond; 0 for anything before the epoch, clamped at the top. */
export function timestampFromMs(unixMs: number): Timestamp {
  const ticks = Math.floor(unixMs - EPOCH_MS) * TICKS_PER_MS;
  return ticks <= 0 ? 0 : Math.min(ticks, TIMESTAMP_MAX);
}

/** The Unix millisecond in which a timestamp lies. */
export function timestampToMs(timestamp: Timestamp): number {
  return Math.floor(timestamp / TICKS_PER_MS) + EPOCH_MS;
}
