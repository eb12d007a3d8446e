/** What the settings of a server lie between, and what holds when nothing is said. */
import { VALUE_BYTES_CEILING } from "@meshkv/core";
import type { Bounds } from "./units.ts";

const SECOND_MS = 1000;
const YEAR_MS = 365 * 24 * 3600 * SECOND_MS;
const MIB = 1024 ** 2;

/** Ranges of the settings that are quantities, in milliseconds or bytes. */
export const BOUNDS = {
  valueMax: { min: 1, max: VALUE_BYTES_CEILING },
  memberTimeout: { min: SECOND_MS, max: 10 * YEAR_MS },
  logBudget: { min: MIB, max: 1024 ** 5 },
  conflictRetention: { min: SECOND_MS, max: 10 * YEAR_MS },
  historyAge: { min: SECOND_MS, max: 10 * YEAR_MS },
  historySize: { min: MIB, max: 1024 ** 5 },
  maxClockDrift: { min: 100, max: 3600 * SECOND_MS },
} as const satisfies Record<string, Bounds>;

/** History that is kept for watchers when nothing is said: whichever is less. */
export const DEFAULT_HISTORY = "1h,256MiB";

/** What is written where HTTP is not wanted. */
export const HTTP_OFF = "off";

/** HTTP is served so much above gRPC when nothing is said: on 8000 beside 4000. */
export const HTTP_PORT_STEP = 4000;

/** The address that a server listens on, and a client calls, when none is named. */
export const DEFAULT_ADDRESS = "127.0.0.1:4000";
