/** A replica without disk and peers, for tests of what stands before it. */
import {
  conflictsOf,
  type Entry,
  EMPTY_CONTEXT,
  compareVersions,
  formatVersion,
  HybridClock,
  isLive,
  type KeyText,
  makeRecord,
  MemberSet,
  MeshkvError,
  positionAt,
  type ReplicaId,
  type ReplicaStanding,
  type Version,
  VersionVector,
  type WriteRecord,
} from "@meshkv/core";
import type {
  CommitTicket,
  ConflictRange,
  KeptLoser,
  KeyConflicts,
  ListRange,
  LocalReplica,
  LocalWatch,
  LocalWatchRequest,
  LocalWrite,
  MemberReport,
  StatusReport,
  WatchPage,
  WriteOptions,
  WriteOutcome,
  WriteTurn,
} from "../src/handlers/local-replica.ts";

const SELF = "00000000000000aa" as ReplicaId;
const OTHER = "00000000000000bb" as ReplicaId;

/** Keeps entries in a map. Everything that a test wants to change or to look at is public. */
export class FakeReplica implements LocalReplica {
  readonly replicaId = SELF;
  readonly entries = new Map<KeyText, Entry>();
  readonly commits: { writes: readonly LocalWrite[]; options: WriteOptions }[] = [];
  readonly lists: ListRange[] = [];
  /** Called before every write; may throw or wait. */
  beforeWrite: (options: WriteOptions) => void | Promise<void> = () => undefined;
  clockMs = Date.now();
  removed: { id: ReplicaId; force: boolean } | undefined;
  readonly #clock = new HybridClock();

  /** What each watcher is told, page by page; then nothing more comes. */
  pages: WatchPage[] = [];
  readonly watches: LocalWatchRequest[] = [];
  openWatches = 0;

  watch(request: LocalWatchRequest): LocalWatch {
    this.watches.push(request);
    this.openWatches += 1;
    const pages = [...this.pages];
    return {
      ask: (_signal, _idleMs, asker) => asker.take(pages.shift() ?? { events: [], synced: false }),
      token: () => Uint8Array.of(1, 2),
      close: () => void (this.openWatches -= 1),
    };
  }

  nowMs(): number {
    return this.clockMs;
  }

  get(key: KeyText): Entry | undefined {
    return this.entries.get(key);
  }

  async list(range: ListRange): Promise<{ entries: readonly Entry[]; more: boolean }> {
    this.lists.push(range);
    const keys = [...this.entries.keys()].sort();
    if (range.reverse) keys.reverse();
    const found: Entry[] = [];
    let bytes = 0;
    for (const key of keys) {
      const entry = this.entries.get(key);
      const isInside =
        (range.start === undefined || key >= range.start) && (range.end === undefined || key < range.end);
      if (!isInside || !isLive(entry, this.clockMs)) continue;
      bytes += key.length + entry.winner.value.length;
      if (found.length === range.limit || (found.length > 0 && bytes > range.bytesMax)) {
        return { entries: found, more: true };
      }
      found.push(entry);
    }
    return { entries: found, more: false };
  }

  readonly meshName = "default";
  readonly members$ = new MemberSet();
  /** What a session may have seen of this replica; a test sets what it wants. */
  readonly vector = new VersionVector();
  horizon = 0;

  get standing(): ReplicaStanding {
    const members = this.members$;
    const { vector, horizon } = this;
    return {
      id: SELF,
      vector,
      durableVector: vector.clone(),
      members,
      durableMembers: members,
      horizon,
      ownPosition: (timestamp) => positionAt(timestamp),
    };
  }

  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  writeTurn<Result extends object>(work: (turn: WriteTurn) => Result): Result {
    return work({
      commit: (writes) => {
        for (const [index, write] of writes.entries()) this.#check(write, index);
        const existed = writes.map(({ key }) => isLive(this.entries.get(key), this.clockMs));
        const versions = writes.map((write) => this.put(write));
        return { versions, existed, durable: Promise.resolve(), isNamed: true };
      },
    });
  }

  async acknowledge({ versions, existed }: CommitTicket): Promise<WriteOutcome> {
    return { versions, existed, replicas: 1 };
  }

  async write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome> {
    this.commits.push({ writes, options });
    await this.beforeWrite(options);
    for (const [index, write] of writes.entries()) this.#check(write, index);
    const existed = writes.map(({ key }) => isLive(this.entries.get(key), this.clockMs));
    return { versions: writes.map((write) => this.put(write)), existed, replicas: 1 };
  }

  /** Writes without conditions. */
  put(write: Pick<LocalWrite, "key" | "value" | "expiresAtMs">): Version {
    const winner = this.#record(write.key, write.value, write.expiresAtMs, SELF);
    this.entries.set(write.key, { winner, siblings: [] });
    this.vector.advance(SELF, positionAt(winner.timestamp));
    return winner;
  }

  async conflicts({
    start,
    end,
    limit,
    bytesMax,
  }: ConflictRange): Promise<{ found: readonly KeyConflicts[]; more: boolean }> {
    const found: KeyConflicts[] = [];
    let bytes = 0;
    for (const key of [...this.entries.keys()].sort()) {
      const entry = this.entries.get(key);
      const isInside = (start === undefined || key >= start) && (end === undefined || key < end);
      if (!isInside || entry === undefined) continue;
      const losers = conflictsOf(entry).map((record): KeptLoser => ({ record, isSettled: false }));
      if (losers.length === 0) continue;
      for (const { record } of losers) bytes += record.value.length;
      if (found.length === limit || (found.length > 0 && bytes > bytesMax)) return { found, more: true };
      found.push({ key, entry, losers });
    }
    return { found, more: false };
  }

  async loser(key: KeyText, version: Version): Promise<KeptLoser | undefined> {
    const entry = this.entries.get(key);
    const record = entry?.siblings.find((sibling) => compareVersions(sibling, version) === 0);
    return record && { record, isSettled: false };
  }

  /** Adds a loser to the conflicts of a key that has a winner. */
  addConflict(key: KeyText, value: Uint8Array): void {
    const entry = this.entries.get(key);
    if (entry === undefined) throw new Error("no winner");
    this.entries.set(key, { ...entry, siblings: [this.#record(key, value, 0, OTHER), ...entry.siblings] });
  }

  status(): StatusReport {
    return {
      replicaId: SELF,
      meshName: "default",
      meshId: "default/1",
      state: "ready",
      stateReason: "",
      serverVersion: "0.0.0-test",
      uptimeMs: 1500,
      keys: this.entries.size,
      storageBytes: 4096,
      digest: "0".repeat(32),
      clockOffsetMs: -3,
      horizon: this.#clock.last,
      horizonHeldBy: OTHER,
      vector: [{ origin: SELF, timestamp: this.#clock.last }],
    };
  }

  members(): readonly MemberReport[] {
    const known = {
      lagMs: 0,
      lagRecords: 0,
      lastSeenMs: this.clockMs,
      clockOffsetMs: 2,
      successor: undefined,
    };
    return [
      { ...known, replicaId: OTHER, address: "127.0.0.1:2", state: "connected", holdsHorizon: true },
      { ...known, replicaId: SELF, address: "127.0.0.1:1", state: "self", holdsHorizon: false },
    ];
  }

  async removeMember(id: ReplicaId, force: boolean): Promise<void> {
    if (id !== OTHER) throw new MeshkvError("MEMBER_NOT_FOUND", `no member ${id}`);
    if (!force) throw new MeshkvError("FORCE_REQUIRED", `${id} cannot be asked: repeat with force`);
    this.removed = { id, force };
  }

  #record(key: KeyText, value: Uint8Array | undefined, expiresAtMs: number, origin: ReplicaId): WriteRecord {
    return makeRecord({
      timestamp: this.#clock.tick(this.clockMs),
      origin,
      key,
      isDelete: value === undefined,
      value: value ?? new Uint8Array(0),
      expiresAtMs,
      context: EMPTY_CONTEXT,
      moreFollows: false,
      adopted: undefined,
    });
  }

  #check({ key, condition }: LocalWrite, index: number): void {
    if (condition === undefined) return;
    const entry = this.entries.get(key);
    const current = isLive(entry, this.clockMs) ? formatVersion(entry.winner) : undefined;
    const holds =
      condition.kind === "absent"
        ? current === undefined
        : condition.kind === "present"
          ? current !== undefined
          : current === formatVersion(condition.version);
    if (holds) return;
    const version = current === undefined ? {} : { version: current };
    throw new MeshkvError("CONDITION_FAILED", `${condition.kind} does not hold`, {
      index: String(index),
      ...version,
    });
  }
}
