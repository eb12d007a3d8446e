/**
 * Forgetting (rules F1 to F3): what every member has goes from the logs, and with it the tombstones and the expired
 * puts that can beat nothing any more. Works through the tables in small steps; a step that is lost is done again.
 */
import type { KeyText, ReplicaId } from "../ids.ts";
import type { Entry } from "../entry.ts";
import { rankOf, type WriteRecord } from "../record.ts";
import { isCovered } from "../session/coverage.ts";
import type { Outbox } from "../session/outbox.ts";
import type { ExpiryRow, ScanRequest, ScanResult } from "../table.ts";
import { timestampFromMs, timestampToMs, type Timestamp } from "../timestamp.ts";
import { History } from "./history.ts";
import { computeFloor, type MemberKnowledge } from "./horizon.ts";
import type { Replica } from "./replica.ts";

const STEP_BYTES = 256 * 1024;
const STEP_ROWS = 500;
/** Unflushed bytes above which forgetting waits. */
const BUSY_BYTES = 4 * 1024 * 1024;
/** Sweeps over deadlines and conflicts begin at most this often. */
const SWEEP_MS = 1000;
/** What had to stay in the log of an origin that says nothing more is looked at again after this. */
const RETRY_MS = 2000;
/** Nothing is to be looked at again. */
const NEVER_MS = Number.POSITIVE_INFINITY;
const NO_FORKS = new Map<ReplicaId, never>();

type Sweep = "idle" | "running";

/** What is kept although every member has it. */
export interface Retention {
  /** Conflicts, and settled ones, for so many milliseconds. */
  readonly conflictMs: number;
  /** Logs, and what goes with them, for so many milliseconds, … */
  readonly historyMs: number;
  /** … and at most so many bytes of them. */
  readonly historyBytes: number;
}

export class Forgetting {
  /**
   * The latest deadline that may be forgotten, in Unix milliseconds: those who watch are told of a deadline from the entry
   * that it ends.
   */
  announcedMs = Number.POSITIVE_INFINITY;
  readonly #replica: Replica;
  readonly #outbox: Outbox;
  readonly #retention: Retention;
  readonly #history: History;
  readonly #cutting = new Set<ReplicaId>();
  readonly #retryAtMs = new Map<ReplicaId, number>();
  #sweep: Sweep = "idle";
  #lastSweepMs = Number.NEGATIVE_INFINITY;

  constructor(replica: Replica, outbox: Outbox, retention: Retention) {
    this.#replica = replica;
    this.#outbox = outbox;
    this.#retention = retention;
    this.#history = new History(retention);
  }

  /** Whether logs are longer than the members need them. */
  get keepsHistory(): boolean {
    return this.#history.keptFrom < this.#replica.horizon;
  }

  /** Moves horizon and floors as far as the members allow, and starts what follows from it. */
  advance(
    bound: Timestamp,
    knowledgeOf: (member: ReplicaId) => MemberKnowledge | undefined,
    nowMs: number,
    spareBytes: number,
  ): void {
    const replica = this.#replica;
    if (bound > replica.horizon) replica.setHorizon(bound, new Set(replica.members.current()));
    this.#history.advance(replica, this.#cutting.size > 0, nowMs, spareBytes);
    for (const origin of replica.vector.origins()) {
      const known = replica.floors.get(origin) ?? 0;
      const bound = Math.min(replica.horizon, this.#history.keptFrom);
      const floor = computeFloor(origin, bound, replica.members, knowledgeOf);
      if (floor > known) replica.setFloor(origin, floor);
      else if (known === 0 || !this.#isRetryDue(origin, nowMs)) continue;
      if (!this.#cutting.has(origin)) {
        this.#cutting.add(origin);
        this.#cut(origin, 0, false);
      }
    }
    if (this.#sweep === "idle" && Math.abs(nowMs - this.#lastSweepMs) >= SWEEP_MS) {
      this.#lastSweepMs = nowMs;
      this.#sweep = "running";
      this.#sweepExpired(undefined);
    }
  }

  /**
   * Whether an origin that says nothing more is to be looked at again: once per process, since a cut may have been lost
   * with the last one, and from time to time while something had to stay.
   */
  #isRetryDue(origin: ReplicaId, nowMs: number): boolean {
    const retryMs = this.#retryAtMs.get(origin) ?? nowMs;
    return nowMs >= retryMs || (retryMs !== NEVER_MS && retryMs - nowMs > RETRY_MS);
  }

  #endCut(origin: ReplicaId, hasKept: boolean, nowMs: number): void {
    this.#cutting.delete(origin);
    this.#retryAtMs.set(origin, hasKept ? nowMs + RETRY_MS : NEVER_MS);
  }

  #scanLater(request: () => ScanRequest, done: (result: ScanResult, nowMs: number) => void): void {
    if (this.#replica.pendingBytes < BUSY_BYTES) this.#outbox.scan(request(), done);
    else this.#outbox.afterDurable(this.#replica.groupNumber, () => this.#scanLater(request, done));
  }

  #cut(origin: ReplicaId, after: Timestamp, keptBefore: boolean): void {
    const floor = (): Timestamp => this.#replica.floors.get(origin) ?? 0;
    let upTo = 0;
    this.#scanLater(
      () => {
        upTo = floor();
        return { kind: "log", origin, after, upTo, bytesMax: STEP_BYTES };
      },
      (result, nowMs) => {
        if (result.kind !== "log") return this.#endCut(origin, true, nowMs);
        let hasKept = keptBefore;
        for (const record of result.records) {
          if (record.timestamp > floor()) break;
          if (record.isDelete && !this.#forgetDelete(record)) hasKept = true;
          else this.#replica.cut(record);
        }
        const last = result.records.at(-1);
        // The floor may have moved for the last time while the tables were read.
        if (result.done || last === undefined) this.#endCut(origin, hasKept || floor() > upTo, nowMs);
        else this.#cut(origin, last.timestamp, hasKept);
      },
    );
  }

  /** Drops a tombstone whose log record may go; false when it has to stay, and its record with it. */
  #forgetDelete(record: WriteRecord): boolean {
    const entry = this.#replica.entry(record.key);
    if (entry === undefined) return true;
    if (isVersion(entry.winner, record)) {
      if (entry.siblings.length > 0 || !this.#isForgettable(entry.winner)) return false;
      this.#replica.setEntry(record.key, undefined);
      return true;
    }
    if (!entry.siblings.some((sibling) => isVersion(sibling, record))) return true;
    if (!this.#isForgettable(record)) return false;
    const siblings = entry.siblings.filter((sibling) => !isVersion(sibling, record));
    this.#replica.setEntry(record.key, { winner: entry.winner, siblings });
    return true;
  }

  /** At or below horizon and floor, and all that it covers has arrived (rule F2). */
  #isForgettable(record: WriteRecord): boolean {
    const replica = this.#replica;
    if (record.timestamp > (replica.floors.get(record.origin) ?? 0) || rankOf(record) > replica.horizon)
      return false;
    return record.context.every((seen) => isCovered(seen, replica.vector, replica.members, NO_FORKS));
  }

  #sweepExpired(after: ExpiryRow | undefined): void {
    this.#scanLater(
      () => ({ kind: "expiries", after, upToMs: this.#forgettableMs(), countMax: STEP_ROWS }),
      (result, nowMs) => {
        if (result.kind !== "expiries") return this.#endSweep();
        for (const row of result.rows) this.#forgetExpired(row, nowMs);
        const last = result.rows.at(-1);
        if (result.done || last === undefined) this.#sweepConflicts(undefined);
        else this.#sweepExpired(last);
      },
    );
  }

  /** The latest deadline that every member's clock has passed, and that no history keeps. */
  #forgettableMs(): number {
    const { horizon, floors } = this.#replica;
    let cut = 0;
    for (const floor of floors.values()) cut = Math.max(cut, floor);
    return Math.min(timestampToMs(Math.min(horizon, cut)), this.announcedMs);
  }

  /** An expired put goes when every member's clock has passed its deadline (rule F2). */
  #forgetExpired(row: ExpiryRow, nowMs: number): void {
    const entry = this.#replica.entry(row.key);
    if (entry === undefined || entry.winner.expiresAtMs !== row.expiresAtMs) {
      this.#replica.group.staleExpiries.push(row);
      return;
    }
    if (entry.siblings.length > 0 || row.expiresAtMs > Math.min(nowMs, this.#forgettableMs())) return;
    if (timestampFromMs(row.expiresAtMs) > this.#replica.horizon || !this.#isForgettable(entry.winner))
      return;
    this.#replica.setEntry(row.key, undefined);
  }

  #sweepConflicts(after: KeyText | undefined): void {
    this.#scanLater(
      () => ({ kind: "conflicted", after, countMax: STEP_ROWS }),
      (result, nowMs) => {
        if (result.kind !== "conflicted") return this.#endSweep();
        for (const key of result.keys) this.#forgetLosers(this.#replica.entry(key), nowMs);
        const last = result.keys.at(-1);
        if (result.done || last === undefined) this.#sweepSettled(undefined);
        else this.#sweepConflicts(last);
      },
    );
  }

  #forgetLosers(entry: Entry | undefined, nowMs: number): void {
    if (entry === undefined) return;
    const since = timestampFromMs(nowMs - this.#retention.conflictMs);
    const siblings = entry.siblings.filter(
      (s) => s.isDelete || s.timestamp > since || !this.#isForgettable(s),
    );
    if (siblings.length === entry.siblings.length) return;
    this.#replica.setEntry(entry.winner.key, { winner: entry.winner, siblings });
    // After a long partition a conflict may be older than its retention when it arises: nobody has seen it yet.
    for (const record of entry.siblings) {
      if (!siblings.includes(record)) this.#replica.group.settled.push({ record, settledAtMs: nowMs });
    }
  }

  #sweepSettled(after: WriteRecord | undefined): void {
    this.#scanLater(
      () => ({ kind: "settled", after, bytesMax: STEP_BYTES }),
      (result, nowMs) => {
        if (result.kind !== "settled") return this.#endSweep();
        for (const { record, settledAtMs } of result.conflicts) {
          if (settledAtMs < nowMs - this.#retention.conflictMs) this.#replica.group.dropped.push(record);
        }
        const last = result.conflicts.at(-1);
        if (result.done || last === undefined) this.#endSweep();
        else this.#sweepSettled(last.record);
      },
    );
  }

  #endSweep(): void {
    this.#sweep = "idle";
  }
}

function isVersion(a: WriteRecord, b: WriteRecord): boolean {
  return a.timestamp === b.timestamp && a.origin === b.origin;
}
