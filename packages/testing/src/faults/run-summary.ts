/** What a run of real servers under faults is told, and what it tells. */
import type { FaultKind } from "./plan.ts";

/** What a run is to be. */
export interface FaultRunOptions {
  readonly seed: number;
  readonly servers: number;
  readonly rounds: number;
  /** No round begins after so much time. */
  readonly msMax: number;
  /** No round begins after so many writes were acknowledged. */
  readonly writesMax: number;
  readonly roundMs: number;
  /** A round goes on, however slow the machine is, until so many writes were acknowledged and a session was answered. */
  readonly writesMin: number;
  readonly clients: number;
  readonly keys: number;
  /** Of all clients together; what they do where the servers keep up. */
  readonly operationsPerSecond: number;
  /** Clients with a session token. */
  readonly sessions: number;
  readonly tell: (line: string) => void;
  /** Ends the run at once, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface FaultRunSummary {
  readonly seed: number;
  readonly servers: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly reads: number;
  /** Versions that two live copies of one directory gave to two writes before they were told apart. */
  readonly twins: number;
  /** Answers to clients with a session, and calls that a server refused since it lacked what the session had seen. */
  readonly sessionSteps: number;
  readonly sessionRefusals: number;
  readonly watchEvents: number;
  /** Watches that went on at another server, or at the same after it was gone. */
  readonly watchResumes: number;
  /** Watches that were told RESUME_TOO_OLD. */
  readonly watchTooOld: number;
  /** Watches that were refused by every server, after a directory had been copied. */
  readonly watchStuck: number;
  /** Keys that two servers wrote while they were cut off from each other. */
  readonly duels: number;
  /** Keys with conflicts at rest, of all rounds together. */
  readonly conflicts: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly violations: readonly string[];
  /** Where everything is kept that belongs to a violation. */
  readonly bundle: string | undefined;
}
