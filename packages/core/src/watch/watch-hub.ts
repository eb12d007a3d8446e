/**
 * Everybody who watches the replica that serves. Told of every group that becomes durable, and of the time; wakes those
 * whom a change concerns. Whoever watches has a position and no queue: see `watch-cursor.ts`.
 */
import type { Entry } from "../entry.ts";
import { CHANGE_RING_BYTES } from "../limits.ts";
import type { MemberKnowledge } from "../replica/horizon.ts";
import type { Replica } from "../replica/replica.ts";
import type { ReplicaId, KeyText } from "../ids.ts";
import type { Outbox } from "../session/outbox.ts";
import { SessionToken } from "../session-token.ts";
import type { ExpiryRow, ScanResult, Table } from "../table.ts";
import { Change, type ChangeGroup, ChangeRing } from "./change-ring.ts";
import { Subscriptions } from "./subscriptions.ts";
import { WatchCursor } from "./watch-cursor.ts";
import type { MergeStep, WatchTarget } from "./watch-event.ts";
import { positionOf, type WatchPosition } from "./watch-position.ts";
import { encodeWatchToken, type WatchResume } from "./watch-token.ts";

/** Deadlines are looked for this often, in milliseconds: an expiry is told at most this late. */
const SWEEP_MS = 50;
const SWEEP_ROWS = 500;

/** What of a replica with its machinery the watchers need. */
export interface WatchedSlot {
  readonly generation: number;
  readonly replica: Replica;
  readonly table: Table;
  readonly outbox: Outbox;
  readonly peering: { knowledgeOf(member: ReplicaId): MemberKnowledge | undefined };
}

/** How a watch begins. */
export interface WatchRequest {
  readonly target: WatchTarget;
  /** Where to go on; undefined: at the present. */
  readonly resume: WatchResume | undefined;
  /** Without `resume`: tell the current state first. */
  readonly initial: boolean;
  /** Called when a cursor that had nothing to tell has; may call nothing of the hub. */
  readonly wake: () => void;
  /** Events of one page, at least 1; undefined: WATCH_EVENTS_MAX. */
  readonly eventsMax?: number;
}

interface Sweep {
  readonly upToMs: number;
  /** What was published when it began; what comes later is collected. */
  readonly before: WatchPosition;
  readonly later: Map<KeyText, Entry>;
  readonly found: Change[];
}

/** All watchers of a process. */
export class WatchHub {
  readonly #ring: ChangeRing;
  readonly #idle = new Subscriptions<WatchCursor>();
  readonly #cursors = new Set<WatchCursor>();
  readonly #waiting = new Set<WatchCursor>();
  #slot: WatchedSlot;
  #head: WatchPosition;
  #sweep: Sweep | undefined;
  #nowMs: number;
  #lastAtHead:
    | { readonly head: WatchPosition; readonly seen: SessionToken; readonly token: Uint8Array }
    | undefined;

  constructor(slot: WatchedSlot, nowMs: number, ringBytesMax = CHANGE_RING_BYTES) {
    this.#slot = slot;
    this.#nowMs = nowMs;
    this.#ring = new ChangeRing(ringBytesMax);
    this.#head = positionOf(slot.replica, nowMs);
  }

  /** How many watch. */
  get size(): number {
    return this.#cursors.size;
  }

  /** The replica that is watched now. */
  get slot(): WatchedSlot {
    return this.#slot;
  }

  /** What was published last. */
  get head(): WatchPosition {
    return this.#head;
  }

  /** The token of who was told everything: the same bytes, most often, for all that were shown the same. */
  tokenAtHead(seen: SessionToken): Uint8Array {
    const head = this.#head;
    const last = this.#lastAtHead;
    if (last?.head === head && last.seen.equals(seen)) return last.token;
    const { replica } = this.#slot;
    const shown = new SessionToken(replica.identity.mesh.name);
    shown.merge(seen);
    const token = encodeWatchToken({ at: head, seen: shown, snapshot: undefined }, replica);
    this.#lastAtHead = { head, seen: shown, token };
    return token;
  }

  /** The latest changes. */
  get ring(): ChangeRing {
    return this.#ring;
  }

  /** The last time that was told. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Begins a watch. */
  open(request: WatchRequest): WatchCursor {
    const seen = request.resume?.seen ?? new SessionToken(this.#slot.replica.identity.mesh.name);
    const cursor = new WatchCursor(this, request, seen);
    this.#cursors.add(cursor);
    return cursor;
  }

  /** The cursor ends. */
  close(cursor: WatchCursor): void {
    this.#cursors.delete(cursor);
    this.#waiting.delete(cursor);
    this.#idle.remove(cursor.target, cursor);
  }

  /** The cursor has read everything: it is woken by the next change that concerns it. */
  rest(cursor: WatchCursor): void {
    this.#idle.add(cursor.target, cursor);
  }

  /** The cursor is woken when the replica has moved. */
  awaitProgress(cursor: WatchCursor): void {
    this.#waiting.add(cursor);
  }

  /** A group is durable, and readers see it: the replica's durable vector is the one with it. */
  published(steps: readonly MergeStep[]): void {
    const before = this.#head;
    this.#head = positionOf(this.#slot.replica, before.markMs);
    if (this.#cursors.size === 0) return this.#ring.clear();
    if (steps.length > 0) {
      this.#collectExpiring(steps);
      this.#tell(
        this.#ring.add(
          before,
          steps.map((step) => Change.merged(step, before.markMs)),
        ),
      );
    }
    for (const cursor of this.#waiting) {
      this.#waiting.delete(cursor);
      cursor.wake();
    }
  }

  #tell(group: ChangeGroup): void {
    if (this.#idle.isEmpty) return;
    for (const { key } of group.changes) {
      this.#idle.visit(key, (cursor) => {
        this.#idle.remove(cursor.target, cursor);
        cursor.changed(group);
      });
    }
  }

  /** Another replica serves from now on: everybody goes on there as on a replica of another process. */
  serve(slot: WatchedSlot): void {
    for (const cursor of this.#cursors) cursor.leave();
    this.#idle.clear();
    this.#ring.clear();
    this.#slot = slot;
    this.#head = positionOf(slot.replica, this.#head.markMs);
    this.#sweep = undefined;
    for (const cursor of this.#cursors) cursor.wake();
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (nowMs - this.#head.markMs < SWEEP_MS || this.#sweep !== undefined) return;
    if (this.#cursors.size === 0) {
      this.#head = { ...this.#head, markMs: nowMs };
      return;
    }
    this.#sweep = { upToMs: nowMs, before: this.#head, later: new Map(), found: [] };
    this.#sweepOn(this.#sweep, { expiresAtMs: this.#head.markMs + 1, key: "" as KeyText });
  }

  #sweepOn(sweep: Sweep, after: ExpiryRow): void {
    const request = { kind: "expiries", after, upToMs: sweep.upToMs, countMax: SWEEP_ROWS } as const;
    this.#slot.outbox.scan(request, (result) => {
      if (this.#sweep === sweep) this.#swept(sweep, result);
    });
  }

  #swept(sweep: Sweep, result: ScanResult): void {
    if (result.kind !== "expiries") {
      // Looked for again with the next tick.
      this.#sweep = undefined;
      return;
    }
    for (const { key, expiresAtMs } of result.rows) {
      const entry = this.#slot.replica.durableEntry(key);
      if (entry === undefined || entry.winner.expiresAtMs !== expiresAtMs) continue;
      const { origin, timestamp } = entry.winner;
      if (sweep.before.vector.covers(origin, timestamp)) sweep.found.push(Change.expired(entry));
    }
    const last = result.rows.at(-1);
    if (!result.done && last !== undefined) return this.#sweepOn(sweep, last);
    this.#sweep = undefined;
    for (const [key, entry] of sweep.later) {
      if (this.#slot.replica.durableEntry(key)?.winner.timestamp === entry.winner.timestamp)
        sweep.found.push(Change.expired(entry));
    }
    const before = this.#head;
    this.#head = { ...before, markMs: sweep.upToMs };
    if (sweep.found.length > 0) this.#tell(this.#ring.add(before, sweep.found));
  }

  /** Deadlines that a sweep under way is to announce, but of puts that came after it had begun. */
  #collectExpiring(steps: readonly MergeStep[]): void {
    const sweep = this.#sweep;
    if (sweep === undefined) return;
    for (const { after } of steps) {
      const { key, expiresAtMs } = after.winner;
      if (expiresAtMs > this.#head.markMs && expiresAtMs <= sweep.upToMs) sweep.later.set(key, after);
      else sweep.later.delete(key);
    }
  }
}
