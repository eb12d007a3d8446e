/** How throughput comes back after something was lost. */
import { median } from "../statistics.ts";

/** What is looked at before the loss, in windows of this length. */
const BEFORE_MS = 2000;
const WINDOW_MS = 200;
/** Back is what stays: a lucky moment before the callers have noticed does not count. */
const STAY_WINDOWS = 5;
const STEP_MS = 10;
/** The part of the throughput of before with which it counts as back. */
const SHARE = 0.8;

/** What became of the throughput. */
export interface Recovery {
  /** The longest time without any answer since then. */
  readonly gapMs: number;
  /**
   * When a window begins that has four fifths of the median of the windows before, and so has the whole second from there;
   * as long as was measured if none does.
   */
  readonly backMs: number;
}

/** Judges the moments of answers, in order, around the moment of a loss. */
export function recoveryOf(answeredAtMs: readonly number[], lostAtMs: number): Recovery {
  const countFrom = (startMs: number, windows = 1): number =>
    answeredAtMs.filter((atMs) => atMs >= startMs && atMs < startMs + windows * WINDOW_MS).length;
  const before: number[] = [];
  for (let ms = WINDOW_MS; ms <= BEFORE_MS; ms += WINDOW_MS) before.push(countFrom(lostAtMs - ms));
  const enough = SHARE * median(before);
  const after = answeredAtMs.filter((atMs) => atMs >= lostAtMs);
  const endMs = after.at(-1) ?? lostAtMs;
  const isBack = (startMs: number): boolean =>
    countFrom(startMs) >= enough && countFrom(startMs, STAY_WINDOWS) >= STAY_WINDOWS * enough;
  let backMs = 0;
  while (lostAtMs + backMs < endMs && !isBack(lostAtMs + backMs)) backMs += STEP_MS;
  let [previousMs, gapMs] = [lostAtMs, 0];
  for (const atMs of after) {
    gapMs = Math.max(gapMs, atMs - previousMs);
    previousMs = atMs;
  }
  return { gapMs, backMs };
}
