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
  maxClockDrift: { min: 100, max: 3600 * SECOND_MS },
} as const satisfies Record<string, Bounds>;

/** The address that a server listens on, and a client calls, when none is named. */
export const DEFAULT_ADDRESS = "127.0.0.1:4000";
