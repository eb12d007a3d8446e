import { RECENT_LOG_BYTES } from "../limits.ts";

/** How a replica deals with its peers; all times in milliseconds. */
export interface PeeringConfig {
  /** Where peers reach this replica; empty when nowhere. */
  readonly address: string;
  /** Peers whose clocks are further apart are refused (rule C1). */
  readonly clockDriftMsMax: number;
  /** Idle claims are this far apart while something is still to be forgotten, … */
  readonly claimBusyMs: number;
  /** … and this far when nothing is. */
  readonly claimIdleMs: number;
  /** Third members' positions are passed on this often. */
  readonly hearsayMs: number;
  /** A link whose peer says nothing for this long is closed. */
  readonly greetingTimeoutMs: number;
  /** A joiner that was not heard for this long is dropped (rule M1). */
  readonly joinLeaseMs: number;
  /** A member silent for this long, while others are reached, is removed. */
  readonly memberTimeoutMs: number;
  /** Conflicts, and settled ones, are kept at least this long (rule X1). */
  readonly conflictRetentionMs: number;
  /** Logs are kept for watchers at least this long, though every member has them, … */
  readonly historyMs: number;
  /** … as far as all logs together take no more bytes than this. 0 in either keeps nothing. */
  readonly historyBytes: number;
  /** The latest records are kept in memory for peers that keep up, in about so many bytes; 0: all are read from the tables. */
  readonly recentLogBytes: number;
  /** A member for whom more bytes of log than this are kept is removed. */
  readonly logBudgetBytes: number;
}

/** The defaults of the product, but for the history, of which the server has its own; the address is to be filled in. */
export const PEERING_DEFAULTS: PeeringConfig = {
  address: "",
  clockDriftMsMax: 60_000,
  claimBusyMs: 250,
  claimIdleMs: 5000,
  hearsayMs: 500,
  greetingTimeoutMs: 10_000,
  joinLeaseMs: 10 * 60_000,
  memberTimeoutMs: 7 * 24 * 3_600_000,
  conflictRetentionMs: 24 * 3_600_000,
  historyMs: 0,
  historyBytes: 0,
  recentLogBytes: RECENT_LOG_BYTES,
  logBudgetBytes: 4 * 1024 ** 3,
};
