import { fileURLToPath } from "node:url";

const PRELOAD = new URL("./offset-clock.mjs", import.meta.url);

/** The environment of a server whose wall clock is off by so many milliseconds. */
export function offsetClock(offsetMs: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${fileURLToPath(PRELOAD)}`,
    MESHKV_TEST_CLOCK_OFFSET_MS: String(offsetMs),
  };
}
