/** What the clients of a run know: every attempt, as one client saw it. Times are of one monotonic clock, in ms. */

/** One write that a client tried. */
export interface WriteAttempt {
  readonly server: string;
  /** Goes up when the server's directory is replaced or damaged by a fault: what was true before need not be after. */
  readonly epoch: number;
  readonly key: string;
  /** Every write of a run has another value; undefined: a delete. */
  readonly value: string | undefined;
  readonly invokedAtMs: number;
  readonly endedAtMs: number;
  /** `fail`: refused before anything was done; `unknown`: nobody can say whether it was done. */
  readonly outcome: "ok" | "fail" | "unknown";
  /** The version that the reply named; empty unless `ok`. */
  readonly version: string;
  /** Whether the faults of the run cannot have destroyed it once it was acknowledged. */
  readonly isObliged: boolean;
}

/** One read that was answered. */
export interface ReadAnswer {
  readonly server: string;
  readonly epoch: number;
  readonly key: string;
  readonly invokedAtMs: number;
  readonly endedAtMs: number;
  /** Version and value of the entry; undefined when there was none. */
  readonly entry: FoundEntry | undefined;
}

/** An entry as a server showed it. */
export interface FoundEntry {
  readonly version: string;
  readonly value: string;
}

/** Attempts and answers of a run, in the order in which they ended. */
export interface History {
  readonly writes: readonly WriteAttempt[];
  readonly reads: readonly ReadAnswer[];
}

/** What one server lists at rest. */
export interface ServerState {
  readonly server: string;
  readonly digest: string;
  readonly entries: ReadonlyMap<string, FoundEntry>;
  /** Losers that no later write has seen, by key, newest first. */
  readonly conflicts: ReadonlyMap<string, readonly FoundEntry[]>;
}
