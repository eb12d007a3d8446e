import { fileURLToPath } from "node:url";

const PRELOAD = new URL("./offset-clock.mjs", import.meta.url);

/** The environment of a server whose wall clock is off by so many milliseconds. */
export function offsetClock(offsetMs: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${fileURLToPath(PRELOAD)}`,
    MESHKV_TEST_CLOCK_OFFSET_MS: String(offsetMs),
  };
}

/** Adds to the environment of a server that its wall clock is off by the milliseconds that a file holds, if it exists. */
export function steeredClock(
  environment: Readonly<Record<string, string>>,
  file: string,
): Record<string, string> {
  const options = environment["NODE_OPTIONS"] ?? "";
  return {
    ...environment,
    NODE_OPTIONS: `${options} --import ${fileURLToPath(PRELOAD)}`.trim(),
    MESHKV_TEST_CLOCK_FILE: file,
  };
}
