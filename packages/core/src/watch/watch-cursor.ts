/**
 * One watcher: a position, never a queue. Asked for more, it answers with events, with rows that it must read first, or
 * that there is nothing yet.
 *
 * A cursor that keeps up reads the ring of latest changes, where it sees each of them. One that comes from elsewhere, or
 * fell off the ring, reads the logs of all origins from its position up to what is published, merged by version, and
 * goes over to the ring exactly there. On that way it tells what has become of each key (see `judge-record.ts`), so
 * intermediate values are left out.
 *
 * Two things make that exact on any replica. First, a replica tells nothing before it has what was shown: then its winner
 * of a key is never older than what the watcher knows. Second, where a record is left out since a newer one will be told,
 * the newer one counts as shown in the token, so the next replica must have it too, and so does a loser that is told with
 * it. A vector alone would claim that the
 * watcher knows the latest state of each key that it covers, which in the middle of a catch-up is not true.
 */
import type { ErrorCode } from "../error-code.ts";
import { WATCH_EVENTS_MAX } from "../limits.ts";
import { positionWithin } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import type { SessionToken } from "../session-token.ts";
import type { ScanRequest, ScanResult } from "../table.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";
import { CatchUp } from "./catch-up.ts";
import type { Change, ChangeGroup } from "./change-ring.ts";
import { EventPage } from "./event-page.ts";
import { Snapshot } from "./snapshot.ts";
import type { WatchEvent, WatchTarget } from "./watch-event.ts";
import type { WatchHub, WatchRequest } from "./watch-hub.ts";
import { isOnOtherBranch, isReachable, meshPrint, type WatchPosition } from "./watch-position.ts";
import { encodeWatchToken, type SnapshotProgress } from "./watch-token.ts";

/** What a cursor has to say. */
export type WatchTurn =
  /** Perhaps no events, when only `synced` is to be told, or the position has moved. */
  | { readonly kind: "events"; readonly events: readonly WatchEvent[]; readonly synced: boolean }
  /** Read the generation's tables, then {@link WatchCursor.scanned}. */
  | { readonly kind: "scan"; readonly generation: number; readonly request: ScanRequest }
  /** Nothing yet: ask again when woken. */
  | { readonly kind: "idle" }
  /** This replica lacks something that the watcher was shown: ask again when woken, or go elsewhere. */
  | { readonly kind: "behind"; readonly missing: Version }
  /** It cannot go on. */
  | { readonly kind: "ended"; readonly code: ErrorCode; readonly message: string };

type Stage =
  | { readonly kind: "arriving" }
  | { readonly kind: "snapshot"; readonly reader: Snapshot }
  | { readonly kind: "catching-up"; readonly reader: CatchUp }
  /** Every change up to `group` (exclusive) was told, and `offset` matching ones of it. */
  | { readonly kind: "pending"; group: number; offset: number }
  | { readonly kind: "resting" }
  | { readonly kind: "ended"; readonly code: ErrorCode; readonly message: string };

/** One watcher. Ask {@link next}, one turn after the other. */
export class WatchCursor {
  readonly target: WatchTarget;
  readonly #hub: WatchHub;
  readonly #wake: () => void;
  readonly #seen: SessionToken;
  #at: WatchPosition;
  /** Where a token ahead of this replica left off; undefined once everything of it has come. */
  #ahead: VersionVector | undefined;
  #snapshot: SnapshotProgress | undefined;
  #stage: Stage = { kind: "arriving" };
  #isSynced = false;
  readonly #eventsMax: number;

  constructor(hub: WatchHub, { target, resume, initial, wake, eventsMax }: WatchRequest, seen: SessionToken) {
    this.target = target;
    this.#hub = hub;
    this.#wake = wake;
    this.#eventsMax = eventsMax ?? WATCH_EVENTS_MAX;
    this.#seen = seen;
    this.#at = resume?.at ?? hub.head;
    this.#ahead = resume?.at.vector;
    this.#snapshot = resume === undefined ? (initial ? { after: undefined } : undefined) : resume.snapshot;
    if (resume === undefined && !initial) this.#rest();
  }

  /** Where to go on after everything that was told; valid on any replica. Not to be changed: others may get the same. */
  token(): Uint8Array {
    const at = this.#position();
    if (at === this.#hub.head && this.#snapshot === undefined) return this.#hub.tokenAtHead(this.#seen);
    return encodeWatchToken({ at, seen: this.#seen, snapshot: this.#snapshot }, this.#hub.slot.replica);
  }

  #position(): WatchPosition {
    const isResting = this.#stage.kind === "resting";
    const at = isResting ? this.#hub.head : this.#at;
    if (this.#ahead === undefined) return at;
    if (at.vector.includes(this.#ahead)) {
      // On the way there the position includes the token whatever has come.
      if (isResting) this.#ahead = undefined;
      return at;
    }
    const vector = at.vector.clone();
    vector.merge(this.#ahead);
    return { ...at, vector };
  }

  /** What is there to tell, after everything before was taken. */
  next(withPrevious: boolean): WatchTurn {
    for (;;) {
      const turn = this.#turn(withPrevious);
      if (turn !== undefined) return turn;
    }
  }

  #turn(withPrevious: boolean): WatchTurn | undefined {
    const stage = this.#stage;
    switch (stage.kind) {
      case "ended":
        return stage;
      case "arriving":
        return this.#arrive();
      case "resting":
        if (this.#isSynced) return { kind: "idle" };
        this.#isSynced = true;
        return { kind: "events", events: [], synced: true };
      case "pending":
        return this.#readRing(stage, withPrevious);
      case "snapshot":
      case "catching-up": {
        const { replica, generation } = this.#hub.slot;
        // What is to be read may be cut while it is read.
        if (!this.#canGoOn(replica)) return this.#tooOld();
        const request = stage.reader.request();
        if (request !== undefined) return { kind: "scan", generation, request };
        return stage.kind === "snapshot"
          ? this.#readSnapshot(stage.reader, withPrevious)
          : this.#readLogs(stage.reader, withPrevious);
      }
    }
  }

  /** Answers a `scan` turn. An answer that nobody waits for any more is dropped. */
  scanned(generation: number, result: ScanResult): void {
    const stage = this.#stage;
    if (
      generation !== this.#hub.slot.generation ||
      (stage.kind !== "snapshot" && stage.kind !== "catching-up")
    )
      return;
    if (result.kind === "failed") {
      this.#stage = { kind: "ended", code: "STORAGE_FAILED", message: result.message };
    } else stage.reader.take(result);
  }

  /** Told by the hub: a group concerns this cursor, which was at rest. */
  changed(group: ChangeGroup): void {
    this.#at = group.before;
    this.#stage = { kind: "pending", group: group.number, offset: 0 };
    this.#wake();
  }

  /** Told by the hub. */
  wake(): void {
    this.#wake();
  }

  /** Told by the hub: the replica is about to be another. */
  leave(): void {
    if (this.#stage.kind === "ended") return;
    this.#at = this.#position();
    this.#ahead = this.#at.vector;
    this.#stage = { kind: "arriving" };
  }

  /** Nobody asks any more. */
  close(): void {
    this.#hub.close(this);
  }

  /** Has this replica what was shown, and everything after the position? */
  #arrive(): WatchTurn | undefined {
    const { slot } = this.#hub;
    const missing = this.#seen.missingAt(slot.replica);
    if (missing !== undefined) {
      if (this.#isLost(missing)) return this.#tooOld();
      this.#hub.awaitProgress(this);
      return { kind: "behind", missing };
    }
    if (!this.#canGoOn(slot.replica)) return this.#tooOld();
    if (this.#snapshot === undefined) {
      this.#catchUp();
      return undefined;
    }
    // A state is told as of its position: what of that comes later than the rows are read is told by nobody.
    const lacking = this.#lacking();
    if (lacking === undefined) {
      const reader = new Snapshot(this.target, this.#at, this.#snapshot.after, slot.table);
      this.#stage = { kind: "snapshot", reader };
      return undefined;
    }
    if (this.#isLost(lacking)) return this.#tooOld();
    this.#hub.awaitProgress(this);
    return { kind: "behind", missing: lacking };
  }

  /** Whether everything after the position is here, and what is before it is what was told. */
  #canGoOn(replica: Replica): boolean {
    return (
      isReachable(this.#at, replica, this.#hub.head.markMs) && !isOnOtherBranch(this.#at.vector, replica)
    );
  }

  /** Something up to the position that was not published here yet; undefined when all of it was. */
  #lacking(): Version | undefined {
    const { vector } = this.#hub.head;
    for (const [origin, { timestamp }] of this.#at.vector.entries()) {
      if (!vector.covers(origin, timestamp)) return { origin, timestamp };
    }
    return undefined;
  }

  /** Whether nobody in the mesh has the record, or ever will: then the state that the watcher knows is not this mesh's. */
  #isLost({ origin, timestamp }: Version): boolean {
    const { replica, peering } = this.#hub.slot;
    const { members } = replica;
    if (members.get(origin) === undefined) return this.#at.mesh !== meshPrint(replica.identity.mesh);
    if (!members.isRemoved(origin)) return false;
    return members.current().every((member) => {
      const known = peering.knowledgeOf(member);
      return known !== undefined && !known.vector.covers(origin, timestamp);
    });
  }

  #tooOld(): WatchTurn {
    const message =
      "this replica does not know all changes since the token: watch afresh, with the current state first";
    this.#stage = { kind: "ended", code: "RESUME_TOO_OLD", message };
    return this.#stage;
  }

  #catchUp(): void {
    this.#stage = { kind: "catching-up", reader: new CatchUp(this.target, this.#at, this.#hub) };
  }

  #readSnapshot(reader: Snapshot, withPrevious: boolean): WatchTurn | undefined {
    const page = new EventPage(withPrevious, this.#eventsMax);
    this.#snapshot = reader.read(page);
    for (const awaited of page.awaited) this.#saw(awaited);
    if (this.#snapshot === undefined) this.#catchUp();
    return this.#hand(page.events);
  }

  #readLogs(reader: CatchUp, withPrevious: boolean): WatchTurn | undefined {
    const page = new EventPage(withPrevious, this.#eventsMax);
    const { at, joins } = reader.read(page);
    this.#at = at;
    for (const awaited of page.awaited) this.#saw(awaited);
    if (joins !== undefined) {
      const { ring } = this.#hub;
      if (joins < ring.first) this.#catchUp();
      else if (joins === ring.next) this.#rest();
      else this.#stage = { kind: "pending", group: joins, offset: 0 };
    }
    return this.#hand(page.events);
  }

  #rest(): void {
    this.#stage = { kind: "resting" };
    this.#hub.rest(this);
  }

  #readRing(stage: Extract<Stage, { kind: "pending" }>, withPrevious: boolean): WatchTurn | undefined {
    const { ring, slot, head } = this.#hub;
    // Who was told the log of another copy of a directory was told other writes than come here by the same versions.
    if (this.#ahead !== undefined && isOnOtherBranch(this.#ahead, slot.replica)) return this.#tooOld();
    if (stage.group < ring.first) {
      this.#catchUp();
      return undefined;
    }
    // Mostly there is one group to tell, and others tell the same of it.
    if (stage.offset === 0 && stage.group === ring.next - 1 && this.#ahead === undefined) {
      const events = ring.group(stage.group)?.page(this.target, withPrevious, this.#eventsMax);
      if (events !== undefined) {
        this.#rest();
        return this.#hand(events);
      }
    }
    const page = new EventPage(withPrevious, this.#eventsMax);
    for (; stage.group < ring.next; stage.group += 1, stage.offset = 0) {
      const group = ring.group(stage.group);
      if (group === undefined) break;
      const changes = group.matches(this.target);
      for (; stage.offset < changes.length; stage.offset += 1) {
        const change = changes[stage.offset];
        if (change === undefined) break;
        const { record } = change;
        // A token that is ahead has told it already.
        if (record !== undefined && this.#ahead?.covers(record.origin, record.timestamp) === true) continue;
        if (!page.add(change.events)) {
          this.#at = before(change, group, head.vector);
          return this.#hand(page.events);
        }
      }
    }
    this.#rest();
    return this.#hand(page.events);
  }

  #hand(events: readonly WatchEvent[]): WatchTurn | undefined {
    if (events.length === 0) return undefined;
    for (const { entry, previous, kind } of events) {
      this.#saw(entry.winner);
      if (kind === "conflict" && previous !== undefined) this.#saw(previous);
    }
    const synced = this.#stage.kind === "resting" && !this.#isSynced;
    if (synced) this.#isSynced = true;
    return { kind: "events", events, synced };
  }

  #saw(record: WriteRecord): void {
    this.#seen.sawVersion(record, this.#hub.slot.replica);
  }
}

/** The position before a change of a group; `published`: what the replica that told it has by now. */
function before(change: Change, group: ChangeGroup, published: VersionVector): WatchPosition {
  const vector = group.before.vector.clone();
  for (const other of group.changes) {
    if (other === change) break;
    if (other.record === undefined) continue;
    const { origin, timestamp } = other.record;
    vector.advance(origin, positionWithin(published.position(origin), timestamp));
  }
  return { ...group.before, vector };
}
