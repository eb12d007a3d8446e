/** Waiting for what must come true, without a guess at how long it takes. */
import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 50;
/** Machines are slow and busy: a test that fails waits this long, one that passes does not. */
const TIMEOUT_MS = 60_000;

/**
 * Asks again and again until the check does not throw, and returns what it returned. A check throws, or rejects, to say
 * what is not as it should be yet; its last word is part of the error when time is up.
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs: number = TIMEOUT_MS,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endMs) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`not within ${timeoutMs} ms: ${what}: ${reason}`, { cause: error });
      }
    }
    await sleep(PAUSE_MS);
  }
}
