/**
 * One replica's own state and what may happen to it: writes, records that arrive, adoption, forgetting. It knows no
 * peer, no disk and no time of day: it collects changes into a commit group, and is told when the group is durable.
 *
 * Two positions are kept apart throughout. *Pending* state includes everything that was accepted; decisions are made on
 * it. *Durable* state is what the last finished group made durable; only that is told to anybody (rules W2, S7).
 */
import { ChangeSet, type StateSection } from "../change-set.ts";
import type { Digest } from "../digest.ts";
import type { Entry } from "../entry.ts";
import { HybridClock } from "../hybrid-clock.ts";
import type { KeyText, ReplicaId, StartId } from "../ids.ts";
import { invariant } from "../invariant.ts";
import { CLOCK_DRIFT_MS_MAX } from "../limits.ts";
import type { MemberSet } from "../member-set.ts";
import { contextOf, mergeRecord, settledBetween } from "../merge.ts";
import { type Position, positionWithin } from "../position.ts";
import { compareRecords, makeRecord, rankOf, type WriteRecord } from "../record.ts";
import type { Table } from "../table.ts";
import { type Timestamp, timestampFromMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import type { Version } from "../version.ts";
import { adoptionsOf, isOutdated, knowsWrite, mustRaise, restateOvertaken } from "./adoption.ts";
import { ClockMark } from "./clock-mark.ts";
import { countWinner } from "./count-winner.ts";
import { LogTail } from "./log-tail.ts";
import { OwnPositions } from "./own-positions.ts";
import { type Lag, RecentTimestamps } from "./recent-timestamps.ts";
import { isSettledHere, settlingsOf } from "./settling.ts";
import type { InFlight } from "./in-flight.ts";
import type { Write } from "./write.ts";
import {
  encodeIdentity,
  encodeMembers,
  encodeProgress,
  type Identity,
  type ReplicaState,
  type Start,
} from "./state.ts";

/** Starts that are remembered; older ones matter only to copies of the directory that are as old. */
const STARTS_MAX = 256;

/** One replica's state; see the head of this file for what is pending and what is durable. */
export class Replica {
  /** Issues versions, and has observed everything that arrived. */
  readonly clock: HybridClock;
  readonly #table: Table;
  #identity: Identity;
  #members: MemberSet;
  #durableMembers: MemberSet;
  readonly #vector: VersionVector;
  #durableVector: VersionVector;
  #horizon: Timestamp;
  #horizonMembers: ReadonlySet<ReplicaId>;
  readonly #floors: Map<ReplicaId, Timestamp>;
  readonly #digest: Digest;
  #durableDigest: Digest;
  #keys: number;
  #logBytes: number;
  #copied = new VersionVector();
  readonly #recentOwn = new RecentTimestamps();
  readonly #clockMark: ClockMark;
  #group: ChangeSet;
  #inFlight: InFlight | undefined;
  readonly #dirty = new Set<StateSection>();
  readonly #ownPositions = new OwnPositions();
  readonly #tail = new LogTail();

  /** Continues from recovered state; call {@link beginStart} before the first write. */
  constructor(state: ReplicaState, table: Table) {
    const { progress } = state;
    this.#table = table;
    this.#identity = state.identity;
    this.#members = state.members;
    this.#durableMembers = state.members;
    this.#vector = progress.vector.clone();
    this.#durableVector = progress.vector.clone();
    this.#horizon = progress.horizon;
    this.#horizonMembers = progress.horizonMembers;
    this.#floors = new Map(progress.floors);
    this.#digest = progress.digest.clone();
    this.#durableDigest = progress.digest.clone();
    this.#keys = progress.keys;
    this.#logBytes = progress.logBytes;
    this.#clockMark = new ClockMark(progress.clockMark);
    this.clock = new HybridClock(progress.clockMark);
    for (const [, { timestamp }] of progress.vector.entries()) this.clock.observe(timestamp);
    this.#group = new ChangeSet(1);
  }

  /** Identity of this copy of the data. */
  get id(): ReplicaId {
    return this.#identity.replicaId;
  }
  /** Who this replica is, its mesh and its starts. */
  get identity(): Identity {
    return this.#identity;
  }
  /** The current process start. Throws before {@link beginStart}. */
  get start(): Start {
    const start = this.#identity.starts.at(-1);
    invariant(start !== undefined, "a replica writes only after beginStart");
    return start;
  }
  /** The member set, pending changes included. */
  get members(): MemberSet {
    return this.#members;
  }
  /** The member set as peers may be told it. */
  get durableMembers(): MemberSet {
    return this.#durableMembers;
  }
  /** What was accepted, pending records included. Do not change it. */
  get vector(): VersionVector {
    return this.#vector;
  }
  /** What is durable: peers may be told it. Do not change it. */
  get durableVector(): VersionVector {
    return this.#durableVector;
  }
  /** Up to where everything may be forgotten (rule F1). */
  get horizon(): Timestamp {
    return this.#horizon;
  }
  /** The members that the horizon waited for when it last moved. */
  get horizonMembers(): ReadonlySet<ReplicaId> {
    return this.#horizonMembers;
  }
  /** Per origin, up to where its log may have been cut (rule F3). */
  get floors(): ReadonlyMap<ReplicaId, Timestamp> {
    return this.#floors;
  }
  /** Digest of the durable entries whose winner is a put without deadline (rule E1). */
  get durableDigest(): Digest {
    return this.#durableDigest;
  }
  /** Keys whose winner is a put, expired ones included until they are forgotten. */
  get liveKeys(): number {
    return this.#keys;
  }
  /** Bytes of records in all logs. */
  get logBytes(): number {
    return this.#logBytes;
  }
  /** How far a peer that has this replica's log up to `timestamp` is behind it. */
  lagOf(timestamp: Timestamp, nowMs: number): Lag {
    return this.#recentOwn.lagBehind(timestamp, nowMs);
  }
  /** Versions up to here may be acknowledged before they are durable (rule W4). */
  get durableClockMark(): Timestamp {
    return this.#clockMark.durable;
  }
  /** Number of the group that collects now: what is changed now is durable when that group is. */
  get groupNumber(): number {
    return this.#group.number;
  }
  /** Rough size of what waits to be committed, in bytes. */
  get pendingBytes(): number {
    return this.#group.bytes + (this.#inFlight?.group.bytes ?? 0);
  }

  /** The entry of a key as {@link groupDurable} was told last: the tables show a group a moment earlier. */
  durableEntry(key: KeyText): Entry | undefined {
    const change = this.#inFlight?.group.entries.get(key);
    return change === undefined ? this.#table.entry(key) : change.before;
  }
  /** The entry of a key with everything that is under way. */
  entry(key: KeyText): Entry | undefined {
    const change = this.#group.entries.get(key) ?? this.#inFlight?.group.entries.get(key);
    return change === undefined ? this.#table.entry(key) : change.after;
  }

  /** Begins a new process start (rule M5). Nothing may be written before the group that it fills is durable. */
  beginStart(id: StartId, recovered: Timestamp = this.#vector.get(this.id)): void {
    // A replica that never began is nowhere on disk yet: its first group writes all of it.
    if (this.#identity.starts.length === 0) this.#dirty.add("members").add("progress");
    const starts = [...this.#identity.starts, { id, recovered }];
    this.setIdentity({ ...this.#identity, starts: starts.slice(-STARTS_MAX) });
  }

  /** Replaces the identity, durably with the next group. */
  setIdentity(identity: Identity): void {
    this.#identity = identity;
    this.#touch("identity");
  }

  /** Replaces the member set by one that knows at least as much. */
  setMembers(members: MemberSet): void {
    if (members.equals(this.#members)) return;
    this.#members = members.droppingGhosts(this.#members, this.id);
    this.#touch("members");
  }

  /** A position of this replica's own log, on the branch of the start in which the timestamp was issued. */
  ownPosition(timestamp: Timestamp): Position {
    return this.#ownPositions.at(this.#identity.starts, timestamp);
  }

  /** Writes a batch as one atomic unit (rules W1, W3, W6). `first`: its first key's {@link entry}, where known. */
  write(writes: readonly Write[], nowMs: number, first?: Entry): readonly WriteRecord[] {
    const last = writes.length - 1;
    return writes.map(({ key, value, expiresAtMs }, index) => {
      const entry = index === 0 && first !== undefined ? first : this.entry(key);
      const record = makeRecord({
        timestamp: this.clock.tick(nowMs),
        origin: this.id,
        key,
        isDelete: value === undefined,
        value: value ?? EMPTY,
        expiresAtMs: value === undefined ? 0 : expiresAtMs,
        context: contextOf(entry, this.#horizon, this.#horizonMembers),
        moreFollows: index < last,
        adopted: undefined,
      });
      invariant(
        entry === undefined || compareRecords(record, entry.winner) > 0,
        "a new write beats what it replaces",
      );
      this.#appendOwn(record, nowMs);
      this.#merge(entry, record, nowMs);
      return record;
    });
  }

  /** Claims the present for an idle origin: peers may then forget up to here. */
  claimIdle(nowMs: number): void {
    this.#advanceOwn(this.clock.tick(nowMs));
  }

  /** Observes a tick of its own so that whoever sees it knows everything decided before (rule M1). */
  tick(nowMs: number): Timestamp {
    const timestamp = this.clock.tick(nowMs);
    this.#advanceOwn(timestamp);
    return timestamp;
  }

  /** Accepts records of an origin's log that lie above this replica's position (rules S3, S4, F4), then its claim. */
  accept(origin: ReplicaId, records: readonly WriteRecord[], claim: Position, nowMs: number): void {
    const covered = this.#vector.get(origin);
    const copied = this.#copied.get(origin);
    for (const record of records) {
      if (record.timestamp <= covered) continue;
      this.clock.observe(record.timestamp);
      this.#append(record);
      // The copied entries reflect it, and what the source has forgotten since it came must not be judged again.
      if (record.timestamp <= copied) continue;
      const entry = this.entry(record.key);
      const isSettled = isSettledHere(entry, record, this.#vector, this.#members);
      // An adopted record competes by an older timestamp than its version: what beat it may be forgotten here as well.
      if (
        !isSettled &&
        rankOf(record) <= this.#horizon &&
        mustRaise(entry, record, this.#horizon) &&
        !knowsWrite(entry, record)
      ) {
        this.#adoptAs(entry, record, nowMs, undefined);
      } else {
        const after = this.#merge(entry, record, nowMs);
        if (isSettled) this.settle([record], nowMs);
        else if (after.winner.adopted?.raised === true) this.#restateOvertaken(record.key, nowMs);
      }
    }
    if (this.#vector.advance(origin, claim)) this.#touch("progress");
    this.clock.observe(claim.timestamp);
    this.#keepMark(nowMs);
  }

  /** Notes what the contexts of records name that come next, durably with these: it commits nothing of its own. */
  name(named: Iterable<readonly [ReplicaId, Position]>): void {
    for (const [origin, position] of named) this.#vector.name(origin, position);
  }

  /**
   * Adopts a record that a rejoining replica offers (rule M2) as a record of this replica's own log. Offered writes that
   * are already here, under whatever version, or that a write here has seen, are left alone; returns whether it adopted.
   * @param settled records here that the replica which offers knows to be settled
   */
  adopt(record: WriteRecord, nowMs: number, settled: readonly WriteRecord[] = []): boolean {
    const entry = this.entry(record.key);
    if (isOutdated(entry, record)) return false;
    this.#adoptAs(entry, record, nowMs, settled);
    return true;
  }

  /** @param settled undefined when the record came in a log, and was not offered */
  #adoptAs(
    entry: Entry | undefined,
    record: WriteRecord,
    nowMs: number,
    settled: readonly WriteRecord[] | undefined,
  ): void {
    // A record from a clock that ran ahead competes as of now, and its timestamp drags nobody along (rule C5).
    if (record.timestamp <= timestampFromMs(nowMs + CLOCK_DRIFT_MS_MAX)) this.clock.observe(record.timestamp);
    const adoptions = adoptionsOf(entry, record, this.#horizon, settled, () => this.#nextVersion(nowMs));
    for (const adopted of adoptions) this.#state(adopted, nowMs);
    this.settle(settled ?? [], nowMs);
    this.#restateOvertaken(record.key, nowMs);
  }

  /** States that records of one key are settled, as one batch. */
  settle(settled: readonly WriteRecord[], nowMs: number): void {
    for (const record of settlingsOf(settled, () => this.#nextVersion(nowMs))) this.#state(record, nowMs);
    const [first] = settled;
    if (first !== undefined) this.#restateOvertaken(first.key, nowMs);
  }

  #state(record: WriteRecord, nowMs: number): void {
    this.#appendOwn(record, nowMs);
    this.#merge(this.entry(record.key), record, nowMs);
  }

  #restateOvertaken(key: KeyText, nowMs: number): void {
    const restated = restateOvertaken(this.entry(key), () => this.#nextVersion(nowMs));
    if (restated !== undefined) this.#state(restated, nowMs);
  }

  #nextVersion(nowMs: number): Version {
    return { timestamp: this.clock.tick(nowMs), origin: this.id };
  }

  #appendOwn(record: WriteRecord, nowMs: number): void {
    invariant(record.timestamp > this.#vector.get(this.id), "own versions only grow");
    this.#append(record);
    this.#recentOwn.add(record.timestamp);
    this.#advanceOwn(record.timestamp);
    this.#keepMark(nowMs);
  }

  #append(record: WriteRecord): void {
    this.#group.records.push(record);
    this.#group.bytes += record.bytes.length * 2 + 64;
    this.#logBytes += record.bytes.length;
    this.#tail.add(record);
  }

  #advanceOwn(timestamp: Timestamp): void {
    invariant(this.#identity.starts.length > 0, "a replica writes only after beginStart");
    this.#vector.advance(this.id, this.ownPosition(timestamp));
    this.#touch("progress");
  }

  #keepMark(nowMs: number): void {
    if (this.#clockMark.keepAhead(this.clock.last, nowMs)) this.#touch("progress");
  }

  /** @param before what {@link entry} says of the record's key */
  #merge(before: Entry | undefined, record: WriteRecord, nowMs: number): Entry {
    const after = mergeRecord(before, record);
    if (after === before) return after;
    if (before !== undefined && before.siblings.length > 0) {
      for (const loser of settledBetween(before, record, after))
        this.#group.settled.push({ record: loser, settledAtMs: nowMs });
    }
    this.#group.steps.push({ record, before, after });
    this.#replace(record.key, before, after);
    return after;
  }

  /**
   * Takes an entry over from a source (rule M1); `isNew`: of a key that has none here. Tombstones that the source's logs
   * tell no more get rows in the logs here: by these they are found when they may be forgotten.
   */
  copy(entry: Entry, floors: ReadonlyMap<ReplicaId, Timestamp>, isNew: boolean): void {
    this.#replace(entry.winner.key, isNew ? undefined : this.entry(entry.winner.key), entry);
    for (const record of [entry.winner, ...entry.siblings]) {
      if (record.isDelete && record.timestamp <= (floors.get(record.origin) ?? 0)) this.#append(record);
    }
  }

  /** Puts an entry in place as it is: for bootstrap and forgetting, where nothing is to be merged. */
  setEntry(key: KeyText, after: Entry | undefined): void {
    this.#replace(key, this.entry(key), after);
  }

  #replace(key: KeyText, before: Entry | undefined, after: Entry | undefined): void {
    const change = this.#group.entries.get(key);
    if (change !== undefined) change.after = after;
    else this.#group.entries.set(key, { before, after });
    this.#group.bytes += (after?.winner.bytes.length ?? 0) + 64;
    if (before?.winner !== after?.winner) {
      countWinner(this.#digest, before, "remove");
      countWinner(this.#digest, after, "add");
      this.#keys += Number(after?.winner.isDelete === false) - Number(before?.winner.isDelete === false);
      this.#touch("progress");
    }
  }

  /** Takes a record out of its log. */
  cut({ origin, timestamp, bytes }: WriteRecord): void {
    this.#group.cuts.push({ origin, timestamp });
    this.#logBytes = Math.max(0, this.#logBytes - bytes.length);
    this.#touch("progress");
  }

  /** The group that collects now, for changes that only the tables see. */
  get group(): ChangeSet {
    return this.#group;
  }

  /** Moves the horizon forward (rule F1). */
  setHorizon(horizon: Timestamp, members: ReadonlySet<ReplicaId>): void {
    invariant(horizon >= this.#horizon, "the horizon only grows");
    this.#horizon = horizon;
    this.#horizonMembers = members;
    this.#touch("progress");
  }

  /** Moves an origin's floor forward (rule F3). */
  setFloor(origin: ReplicaId, floor: Timestamp): void {
    invariant(floor >= (this.#floors.get(origin) ?? 0), "floors only grow");
    this.#floors.set(origin, floor);
    this.#touch("progress");
  }

  /** Continues a source's logs from its floors (rule M1); `copied`: what it had before the first entry was copied. */
  takeOver(
    horizon: Timestamp,
    members: ReadonlySet<ReplicaId>,
    floors: ReadonlyMap<ReplicaId, Timestamp>,
    copied: VersionVector,
  ): void {
    this.#copied = copied;
    this.setHorizon(horizon, members);
    for (const [origin, floor] of floors) {
      this.setFloor(origin, floor);
      this.#vector.advance(origin, positionWithin(copied.position(origin), floor));
    }
  }

  /** Whether the origin's log surely holds no record above the timestamp. */
  hasNoRecordAfter(origin: ReplicaId, timestamp: Timestamp): boolean {
    return this.#tail.endsBy(origin, timestamp);
  }

  /** Whether a record is still in the logs that peers may wait for: then claims are worth making. */
  get hasUnforgotten(): boolean {
    return this.#tail.reachesAbove(this.#horizon, this.#floors);
  }

  #touch(section: StateSection): void {
    this.#dirty.add(section);
  }

  /** Whether anything waits to be committed. */
  get hasChanges(): boolean {
    return this.#dirty.size > 0 || this.#group.changesTables;
  }

  /** Whether a group is on its way to the disk. */
  get isCommitting(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Hands out the group to commit; undefined while one is under way or nothing waits. */
  takeGroup(): ChangeSet | undefined {
    if (this.#inFlight !== undefined || !this.hasChanges) return undefined;
    const group = this.#group;
    if (this.#dirty.has("identity")) group.sections.set("identity", encodeIdentity(this.#identity));
    if (this.#dirty.has("members")) group.sections.set("members", encodeMembers(this.#members));
    if (this.#dirty.has("progress")) group.sections.set("progress", this.#encodeProgress());
    this.#inFlight = {
      group,
      vector: this.#vector.clone(),
      digest: this.#digest.clone(),
      members: this.#members,
    };
    this.#clockMark.groupTaken();
    this.#dirty.clear();
    this.#group = new ChangeSet(group.number + 1);
    return group;
  }

  #encodeProgress(): Uint8Array {
    return encodeProgress({
      clockMark: this.#clockMark.pending,
      keys: this.#keys,
      logBytes: this.#logBytes,
      horizon: this.#horizon,
      horizonMembers: this.#horizonMembers,
      vector: this.#vector,
      floors: this.#floors,
      digest: this.#digest,
    });
  }

  /** The group that was taken, and is returned, is durable: what it brought may be told from now on. */
  groupDurable(): ChangeSet {
    const done = this.#inFlight;
    invariant(done !== undefined, "no group is under way");
    this.#inFlight = undefined;
    this.#durableVector = done.vector;
    this.#durableDigest = done.digest;
    this.#durableMembers = done.members;
    this.#clockMark.groupDurable();
    return done.group;
  }
}

const EMPTY = new Uint8Array(0);
