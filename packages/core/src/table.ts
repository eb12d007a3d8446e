/**
 * The port through which the core reads the local database. Reads are synchronous and see durable state only; what is
 * under way the core knows itself. Scans are asked for as requests and answered later, since engines scan
 * asynchronously; a scan sees one consistent durable state that is at least as new as the last durable group.
 */
import type { Entry } from "./entry.ts";
import type { KeyText, ReplicaId } from "./ids.ts";
import type { RecordFields, WriteRecord } from "./record.ts";
import type { Timestamp } from "./timestamp.ts";
import type { SettledConflict } from "./change-set.ts";

/** The synchronous part of the port: one generation of the local database. */
export interface Table {
  /**
   * The durable entry of a key, undefined when there is none, or when its row is damaged: then the shell also says so
   * (`Identity.damaged`), and this replica rejoins (rule W5).
   */
  entry(key: KeyText): Entry | undefined;
}

/** What a scan reads. */
export type ScanRequest =
  /** Records of one origin's log with `after < timestamp <= upTo`, ascending; ends only at the end of a batch. */
  | {
      readonly kind: "log";
      readonly origin: ReplicaId;
      readonly after: Timestamp;
      readonly upTo: Timestamp;
      readonly bytesMax: number;
      /** Leave damaged rows out instead of failing: to save what can be saved. */
      readonly skipDamaged?: boolean;
    }
  /** Entries of keys greater than `after` (undefined: from the first), ascending. */
  | {
      readonly kind: "entries";
      readonly after: KeyText | undefined;
      readonly bytesMax: number;
      readonly skipDamaged?: boolean;
    }
  /** Expiry rows with `after < (expiresAtMs, key)` and `expiresAtMs <= upToMs`, ascending. */
  | {
      readonly kind: "expiries";
      readonly after: ExpiryRow | undefined;
      readonly upToMs: number;
      readonly countMax: number;
    }
  /** Settled conflicts after a key and version, ascending. */
  | {
      readonly kind: "settled";
      readonly after: Pick<RecordFields, "key" | "timestamp" | "origin"> | undefined;
      readonly bytesMax: number;
    }
  /** Keys greater than `after` with unsettled siblings, ascending. */
  | { readonly kind: "conflicted"; readonly after: KeyText | undefined; readonly countMax: number };

/** A key that expires, in the order of deadlines. */
export interface ExpiryRow {
  /** The deadline, in Unix milliseconds. */
  readonly expiresAtMs: number;
  /** The key whose winner had that deadline when the row was written. */
  readonly key: KeyText;
}

/** What a scan found. `done` is true when nothing more lies in the range that was asked for. */
export type ScanResult =
  | { readonly kind: "log"; readonly records: readonly WriteRecord[]; readonly done: boolean }
  | { readonly kind: "entries"; readonly entries: readonly Entry[]; readonly done: boolean }
  | { readonly kind: "expiries"; readonly rows: readonly ExpiryRow[]; readonly done: boolean }
  | { readonly kind: "settled"; readonly conflicts: readonly SettledConflict[]; readonly done: boolean }
  | { readonly kind: "conflicted"; readonly keys: readonly KeyText[]; readonly done: boolean }
  /** The rows could not be read, or were damaged. */
  | { readonly kind: "failed"; readonly message: string };
