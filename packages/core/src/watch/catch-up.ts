/**
 * The way from a position to what was published when it began: records in the order of versions, then the deadlines that
 * have passed. Whoever stops anywhere goes on from the position that was reached.
 */
import type { Entry } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import { positionWithin } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { ExpiryRow, ScanRequest, ScanResult } from "../table.ts";
import { compareVersions, formatVersion } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";
import { expiryEvent } from "./change-ring.ts";
import type { EventPage } from "./event-page.ts";
import { judgeRecord } from "./judge-record.ts";
import { LogMerge } from "./log-merge.ts";
import { isWatched, type WatchEvent, type WatchTarget } from "./watch-event.ts";
import type { WatchHub } from "./watch-hub.ts";
import type { WatchPosition } from "./watch-position.ts";

const EXPIRY_ROWS = 500;

/** How far it is. */
export interface CatchUpProgress {
  readonly at: WatchPosition;
  /** Set when it is done: the group of the ring with which to go on. */
  readonly joins: number | undefined;
}

export class CatchUp {
  readonly #target: WatchTarget;
  readonly #hub: WatchHub;
  readonly #goal: WatchPosition;
  readonly #joins: number;
  readonly #fromMs: number;
  #at: WatchPosition;
  #merge: LogMerge | undefined;
  #areLogsDone = false;
  #rows: readonly ExpiryRow[] | undefined;
  #areRowsLast = false;
  #rowsAfter: ExpiryRow;
  /** Losers of the next record that were told before it, as pairs of versions. */
  readonly #toldApart = new Set<string>();

  constructor(target: WatchTarget, at: WatchPosition, hub: WatchHub) {
    this.#target = target;
    this.#hub = hub;
    this.#at = at;
    this.#goal = hub.head;
    this.#joins = hub.ring.next;
    this.#fromMs = at.markMs;
    this.#rowsAfter = { expiresAtMs: at.markMs + 1, key: "" as KeyText };
  }

  /** What is to be read first; undefined when {@link read} has something to say. */
  request(): ScanRequest | undefined {
    // All that is known of one key is in its entry.
    if (this.#target.kind === "key") return undefined;
    if (!this.#areLogsDone) {
      this.#merge ??= new LogMerge(this.#at.vector, this.#goal.vector, this.#hub.slot.replica);
      return this.#merge.request();
    }
    if (this.#rows !== undefined || this.#fromMs >= this.#goal.markMs) return undefined;
    return { kind: "expiries", after: this.#rowsAfter, upToMs: this.#goal.markMs, countMax: EXPIRY_ROWS };
  }

  take(result: ScanResult): void {
    if (result.kind === "log") this.#merge?.take(result);
    else if (result.kind === "expiries") {
      this.#rows = result.rows;
      this.#areRowsLast = result.done || result.rows.length === 0;
    }
  }

  /** Fills the page. */
  read(page: EventPage): CatchUpProgress {
    if (this.#target.kind === "key") return this.#readKey(page);
    return this.#areLogsDone ? this.#readExpiries(page) : this.#readLogs(page);
  }

  #readLogs(page: EventPage): CatchUpProgress {
    const chunk = this.#merge?.chunk();
    this.#merge = undefined;
    const told = this.#at.vector.clone();
    for (const record of chunk?.records ?? []) {
      if (isWatched(this.#target, record.key) && !this.#tell(this.#entry(record.key), record, told, page))
        return this.#reach(told);
    }
    const reached = chunk?.reached ?? told;
    this.#areLogsDone = reached.includes(this.#goal.vector);
    return this.#reach(reached);
  }

  #readKey(page: EventPage): CatchUpProgress {
    const entry = this.#entry(this.#target.text);
    const told = this.#at.vector.clone();
    if (entry !== undefined) {
      const records = [entry.winner, ...entry.siblings].filter(
        ({ origin, timestamp }) =>
          !told.covers(origin, timestamp) && this.#goal.vector.covers(origin, timestamp),
      );
      for (const record of records.sort(compareVersions)) {
        if (!this.#tell(entry, record, told, page)) return this.#reach(told);
      }
      if (!this.#expire(entry, page)) return this.#reach(told);
    }
    told.merge(this.#goal.vector);
    this.#reach(told);
    return this.#done();
  }

  /** Tells what is to be told of a record that was not; false when the page is full. */
  #tell(entry: Entry | undefined, record: WriteRecord, told: VersionVector, page: EventPage): boolean {
    const { events, awaited } = judgeRecord(entry, record, told);
    const [first] = events;
    const expired =
      first?.kind === "put" && record.expiresAtMs > 0 && record.expiresAtMs <= this.#fromMs
        ? [...events, expiryEvent(first.entry)]
        : events;
    if (!this.#add(expired, page)) return false;
    page.awaited.push(...awaited);
    const { origin, timestamp } = record;
    told.advance(origin, positionWithin(this.#goal.vector.position(origin), timestamp));
    return true;
  }

  /**
   * Adds the events of one record: together, where one response can hold them. Else the losers come first, one by one; if
   * the stream breaks before all have come, they are told again where it goes on, and nothing else is.
   */
  #add(events: readonly WatchEvent[], page: EventPage): boolean {
    const others = events.filter(({ kind }) => kind !== "conflict");
    if (others.length === events.length || page.canHold(events)) return page.add(events);
    for (const event of events) {
      if (event.kind !== "conflict" || event.previous === undefined) continue;
      const pair = `${formatVersion(event.entry.winner)} ${formatVersion(event.previous)}`;
      if (this.#toldApart.has(pair)) continue;
      if (!page.add([event])) return false;
      this.#toldApart.add(pair);
    }
    if (!page.add(others)) return false;
    this.#toldApart.clear();
    return true;
  }

  #readExpiries(page: EventPage): CatchUpProgress {
    for (const row of this.#rows ?? []) {
      const entry = isWatched(this.#target, row.key) ? this.#entry(row.key) : undefined;
      if (entry?.winner.expiresAtMs === row.expiresAtMs && !this.#expire(entry, page)) {
        this.#rows = undefined;
        this.#at = { ...this.#at, markMs: Math.max(this.#fromMs, row.expiresAtMs - 1) };
        return { at: this.#at, joins: undefined };
      }
      this.#rowsAfter = row;
    }
    const isLast = this.#rows === undefined || this.#areRowsLast;
    this.#rows = undefined;
    return isLast ? this.#done() : { at: this.#at, joins: undefined };
  }

  /** Tells that the winner's deadline has passed meanwhile; false when the page is full. */
  #expire(entry: Entry, page: EventPage): boolean {
    const { expiresAtMs, origin, timestamp } = entry.winner;
    if (expiresAtMs <= this.#fromMs || expiresAtMs > this.#goal.markMs) return true;
    return !this.#goal.vector.covers(origin, timestamp) || page.add([expiryEvent(entry)]);
  }

  /** The key's state at the goal: what came later is told from the ring. */
  #entry(key: KeyText): Entry | undefined {
    const { slot, ring } = this.#hub;
    const entry = slot.replica.durableEntry(key);
    const isOfGoal = ({ origin, timestamp }: WriteRecord): boolean =>
      this.#goal.vector.covers(origin, timestamp);
    if (entry === undefined || (isOfGoal(entry.winner) && entry.siblings.every(isOfGoal))) return entry;
    return ring.entryBefore(this.#joins, key, entry);
  }

  #reach(vector: VersionVector): CatchUpProgress {
    this.#at = { ...this.#at, vector };
    return { at: this.#at, joins: undefined };
  }

  #done(): CatchUpProgress {
    const { markMs, base, mesh } = this.#goal;
    this.#at = { vector: this.#at.vector, markMs: Math.max(markMs, this.#fromMs), base, mesh };
    return { at: this.#at, joins: this.#joins };
  }
}
