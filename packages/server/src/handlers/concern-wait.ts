import type { CallInfo } from "./call-info.ts";

/** How long a write waits for other replicas when neither the request nor its deadline says, in milliseconds. */
const CONCERN_WAIT_MS = 5000;
/** What is kept of the time before a deadline, so that the answer still arrives: the greater of the two. */
const ANSWER_MS_MIN = 50;
const ANSWER_SHARE = 0.1;
/** The longest that a timer can wait. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/** How long to wait for a concern, in milliseconds: the wait ends before the call does. */
export function concernWaitMs(
  timeoutMs: number | undefined,
  { deadlineMs }: CallInfo,
  wallMs: number,
): number {
  if (deadlineMs === undefined) return Math.min(timeoutMs ?? CONCERN_WAIT_MS, WAIT_MS_MAX);
  const leftMs = deadlineMs - wallMs;
  // Whole milliseconds: timers take nothing else.
  const waitMs = Math.max(0, Math.floor(leftMs - Math.max(ANSWER_MS_MIN, leftMs * ANSWER_SHARE)));
  return Math.min(timeoutMs ?? waitMs, waitMs, WAIT_MS_MAX);
}
