/**
 * A commit group: everything that one engine batch makes durable together (rule W2). The core fills it; the store
 * encodes it into rows.
 */
import type { Entry } from "./entry.ts";
import type { KeyText, ReplicaId } from "./ids.ts";
import type { WriteRecord } from "./record.ts";
import type { Timestamp } from "./timestamp.ts";
import type { MergeStep } from "./watch/watch-event.ts";

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

/** What came of a write that had a request id, for its retries; opaque to the core. */
export interface RequestRow {
  /** The id that the caller gave, as the UTF-8 bytes of its text. */
  readonly id: KeyText;
  /** Undefined: it is forgotten. */
  readonly outcome: Uint8Array | undefined;
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
  /** What records did to their keys, in the order of acceptance: for watchers, not stored. */
  readonly steps: MergeStep[] = [];
  /** Rows to be taken out of logs. */
  readonly cuts: LogCut[] = [];
  /** Expiry rows that lead nowhere any more. */
  readonly staleExpiries: { readonly expiresAtMs: number; readonly key: KeyText }[] = [];
  /** Losers to keep as settled. */
  readonly settled: SettledConflict[] = [];
  /** Settled losers whose retention has ended. */
  readonly dropped: WriteRecord[] = [];
  /** Outcomes of requests to keep or to forget. */
  readonly requests: RequestRow[] = [];
  /** Encoded sections to be replaced; filled when the group is taken. */
  readonly sections = new Map<StateSection, Uint8Array>();
  /** Entries were copied from another replica: nobody has asked for these. */
  isCopy = false;
  /** Rough size in bytes of what the group writes. */
  bytes = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** Whether anything changes entries, logs or what belongs to them; outcomes of requests come along with these. */
  get changesTables(): boolean {
    return (
      this.entries.size > 0 ||
      this.records.length > 0 ||
      this.cuts.length > 0 ||
      this.settled.length > 0 ||
      this.dropped.length > 0 ||
      this.staleExpiries.length > 0
    );
  }
}
