/**
 * A commit group: everything that one engine batch makes durable together (rule W2). The core fills it; the store
 * encodes it into rows.
 */
import type { Entry } from "./entry.ts";
import type { KeyText, ReplicaId } from "./ids.ts";
import type { WriteRecord } from "./record.ts";
import type { Timestamp } from "./timestamp.ts";

/** One key's change: what readers see until the group is durable, and what they see then. */
export interface EntryChange {
  /** The last durable or pending state before this group; undefined when there was no entry. */
  readonly before: Entry | undefined;
  /** The state with this group; undefined removes the entry. */
  after: Entry | undefined;
}

/** A loser that has been settled by a later write, kept for listing and restoring. */
export interface SettledConflict {
  /** The loser, whole. */
  readonly record: WriteRecord;
  /** Unix milliseconds by this replica's clock when it was settled here. */
  readonly settledAtMs: number;
}

/** A row of the log that is cut. */
export interface LogCut {
  /** Whose log it is. */
  readonly origin: ReplicaId;
  /** The version's timestamp, which is its position in that log. */
  readonly timestamp: Timestamp;
}

/** Names of the sections of a replica's state that are stored beside its tables; each encodes to canonical bytes. */
export type StateSection = "identity" | "progress" | "members";

/** One commit group: all of it becomes durable in one engine batch, or none of it. */
export class ChangeSet {
  /** Counts groups of one process start; waiters wait for the number of their group. */
  readonly number: number;
  /** Last state per key. Rows of expiry and of conflicts follow from `before` and `after`. */
  readonly entries = new Map<KeyText, EntryChange>();
  /** Records appended to logs, in the order of acceptance. */
  readonly records: WriteRecord[] = [];
  /** Rows to be taken out of logs. */
  readonly cuts: LogCut[] = [];
  /** Expiry rows that lead nowhere any more. */
  readonly staleExpiries: { readonly expiresAtMs: number; readonly key: KeyText }[] = [];
  /** Losers to keep as settled. */
  readonly settled: SettledConflict[] = [];
  /** Settled losers whose retention has ended. */
  readonly dropped: WriteRecord[] = [];
  /** Encoded sections to be replaced; filled when the group is taken. */
  readonly sections = new Map<StateSection, Uint8Array>();
  /** Rough size in bytes of what the group writes. */
  bytes = 0;

  constructor(number: number) {
    this.number = number;
  }
}
