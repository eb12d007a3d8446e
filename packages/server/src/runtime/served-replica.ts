/**
 * The replica of this process as handlers see it: conditions, concern, refusals with their codes, and the supervision of
 * runs. When the engine fails, reads go on from the old run while writes are refused; once the disk takes writes again
 * the database is reopened and a new run begins (rule W2).
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Entry,
  formatVersion,
  type HostConfig,
  isLive,
  type KeyText,
  MeshkvError,
  type ReplicaId,
  type Version,
} from "@meshkv/core";
import { Database, type DatabaseLocation } from "@meshkv/store";
import type { PeerStream } from "../grpc/peer-stream.ts";
import type {
  ListRange,
  LocalReplica,
  LocalWrite,
  MemberReport,
  StatusReport,
  WriteOptions,
  WriteOutcome,
} from "../handlers/local-replica.ts";
import { DirectorySize } from "./directory-size.ts";
import type { EventLog } from "./event-log.ts";
import type { DialPeer } from "./peer-links.ts";
import { describeMembers, describeStatus } from "./report.ts";
import { Run } from "./run.ts";

const REOPEN_PAUSE_MS = 1000;
/** Uncommitted bytes above which writers wait for the disk. */
const WRITE_AHEAD_BYTES = 32 * 1024 * 1024;
const PULL_PAUSE_MS = 50;
const PULL_TRIES_MAX = 600;

export interface ServedReplicaOptions {
  readonly location: DatabaseLocation;
  readonly meshName: string;
  readonly serverVersion: string;
  readonly dialPeer: DialPeer;
  readonly log: EventLog;
  /** Told whenever the replica begins or ceases to serve. */
  readonly onServing: (isServing: boolean) => void;
  /** The program itself is wrong, and must not go on. */
  readonly onFatal: (error: MeshkvError) => void;
}

export class ServedReplica implements LocalReplica {
  readonly #options: ServedReplicaOptions;
  readonly #startedAtMs = Date.now();
  #config: HostConfig | undefined;
  #run: Run | undefined;
  #failure: MeshkvError | undefined;
  #isStopping = false;
  readonly #size: DirectorySize;
  #reopening: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  /** Makes a replica that answers UNAVAILABLE until it is started. */
  constructor(options: ServedReplicaOptions) {
    this.#options = options;
    this.#size = new DirectorySize("directory" in options.location ? options.location.directory : undefined);
  }

  /** Opens the database and begins to serve. @throws MeshkvError as `Database.open` and `Run.start` */
  start(config: HostConfig): Promise<void> {
    this.#config = config;
    return this.#begin(config);
  }

  async #begin(config: HostConfig, isSecondTry = false): Promise<void> {
    const { location, meshName, dialPeer, log } = this.#options;
    const database = await Database.open(location, {
      onDamage: ({ message }) => this.#run?.damaged(message),
    });
    try {
      this.#run = await Run.start({
        database,
        config,
        meshName,
        dialPeer,
        log,
        onFailure: (error) => this.#failed(error),
      });
    } catch (error) {
      const isBroken = database.failure !== undefined;
      await database.close();
      // What broke the engine may be damage in its files: opening it again finds and repairs that.
      if (isBroken && !isSecondTry) return this.#begin(config, true);
      throw error;
    }
    this.#failure = undefined;
    await this.#size.refresh();
    this.#options.onServing(true);
  }

  #failed(error: MeshkvError): void {
    if (this.#isStopping) return;
    this.#failure = error;
    if (error.code === "INTERNAL") {
      this.#options.onServing(false);
      this.#options.onFatal(error);
      return;
    }
    this.#options.log.error(
      { code: error.code, message: error.message },
      "storage failed: reads go on, writes are refused",
    );
    this.#options.onServing(false);
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
  }

  async #reopen(): Promise<void> {
    while (!this.#isStopping) {
      await sleep(REOPEN_PAUSE_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      const run = this.#run;
      if (this.#isStopping || (run !== undefined && run.database.isFull)) continue;
      this.#run = undefined;
      try {
        await run?.database.close();
        if (this.#config !== undefined) await this.#begin(this.#config);
        this.#options.log.warn({}, "storage reopened: writes are taken again");
        return;
      } catch (error) {
        this.#options.log.error({ message: String(error) }, "the data directory cannot be reopened");
      }
    }
  }

  #reading(): Run {
    if (this.#isStopping) throw new MeshkvError("UNAVAILABLE", "this server is closing: ask another one");
    if (this.#run !== undefined) return this.#run;
    throw this.#failure ?? new MeshkvError("UNAVAILABLE", "this server is starting: try again");
  }

  #writing(): Run {
    const run = this.#reading();
    if (this.#failure !== undefined) throw this.#failure;
    return run;
  }

  get replicaId(): ReplicaId {
    return this.#reading().host.active.replica.id;
  }

  nowMs(): number {
    return Date.now();
  }

  /** A peer opened a stream. */
  accept(stream: PeerStream): void {
    const run = this.#run;
    if (run !== undefined && run.failure === undefined) return run.accept(stream);
    stream.start({ onFrame: () => undefined, onDrain: () => undefined, onClose: () => undefined });
    stream.close(new MeshkvError("UNAVAILABLE", "this replica is starting or its storage has failed"));
  }

  get(key: KeyText): Entry | undefined {
    const { database, host } = this.#reading();
    return database.generation(host.active.generation).entry(key);
  }

  async list({
    start,
    end,
    reverse,
    limit,
    bytesMax,
  }: ListRange): Promise<{ entries: readonly Entry[]; more: boolean }> {
    const { database, host } = this.#reading();
    const nowMs = Date.now();
    const generation = database.generation(host.active.generation);
    const keep = (entry: Entry): boolean => isLive(entry, nowMs);
    let range = { start, end };
    for (;;) {
      // One more than asked for tells whether more follows; a page that met many tombstones may end early.
      const page = await generation.list({ ...range, reverse, limit, bytesMax, keep });
      if (page.resume === undefined) return { entries: page.entries, more: false };
      if (page.entries.length > 0) return { entries: page.entries, more: true };
      range = reverse ? { start, end: page.resume } : { start: page.resume, end };
    }
  }

  async write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome> {
    const run = this.#writing();
    await this.#admit(run, options.signal);
    const { host } = run;
    const { replica } = host.active;
    const nowMs = Date.now();
    const existed = writes.map((write, index) =>
      checkCondition(replica.entry(write.key), write, index, nowMs),
    );
    const { records, group, generation } = host.write(writes, nowMs);
    const versions = records.map(({ timestamp, origin }): Version => ({ timestamp, origin }));
    const last = versions.at(-1);
    const done = options.concern.kind === "relaxed" ? undefined : run.durable(generation, group);
    // The refusal reaches the caller through `done`, or nobody waits for it.
    run.pump();
    if (last === undefined) return { versions, existed, replicas: 1 };
    // Relaxed: acknowledged before the disk has it, as long as no crash can make the version name another write (W4).
    if (done === undefined && last.timestamp <= replica.durableClockMark)
      return { versions, existed, replicas: 0 };
    await (done ?? run.durable(generation, group));
    const replicas = await this.#awaitConcern(run, last, options);
    return { versions, existed, replicas };
  }

  /** Waits while a successor takes over or the disk is behind, and refuses what cannot be kept. */
  async #admit(run: Run, signal: AbortSignal): Promise<void> {
    const { host, database } = run;
    if (host.isFrozen || host.active.replica.pendingBytes > WRITE_AHEAD_BYTES) {
      await run.until(() => !host.isFrozen && host.active.replica.pendingBytes <= WRITE_AHEAD_BYTES, signal);
    }
    if (signal.aborted) throw signal.reason;
    if (run.failure !== undefined) throw run.failure;
    if (database.isFull) {
      throw new MeshkvError(
        "STORAGE_FULL",
        "the disk of this replica is nearly full: free space, or write to another replica",
      );
    }
    if (host.active.peering.isClockOff()) {
      throw new MeshkvError(
        "CLOCK_SKEW",
        "this replica's clock is far off its peers': set the clock, or write to another replica",
      );
    }
  }

  async #awaitConcern(
    run: Run,
    version: Version,
    { concern, timeoutMs, signal }: WriteOptions,
  ): Promise<number> {
    const holders = (): { count: number; members: number } => {
      const { replica, peering } = run.host.active;
      const members = replica.durableMembers.current();
      const has = members.filter((m) =>
        peering.knowledgeOf(m)?.vector.covers(version.origin, version.timestamp),
      );
      return { count: Math.max(1, has.length), members: members.length };
    };
    const isMet = (): boolean => {
      const { count, members } = holders();
      if (concern.kind === "all") return count >= members;
      return concern.kind === "relaxed" || count >= concern.count;
    };
    if (isMet()) return holders().count;
    const timeout =
      timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await run.until(isMet, timeout);
    } catch (error) {
      const { count } = holders();
      if (signal.aborted && timeoutMs === undefined && !(error instanceof MeshkvError)) throw error;
      const asked = concern.kind === "replicas" ? String(concern.count) : "all";
      throw new MeshkvError(
        "CONCERN_NOT_MET",
        `the write is durable on ${count} replicas, not on ${asked}: it stays written and will spread`,
        { version: formatVersion(version), replicas: String(count) },
      );
    }
    return holders().count;
  }

  status(): StatusReport {
    const reason = this.#failure;
    return describeStatus(this.#reading(), {
      startedAtMs: this.#startedAtMs,
      serverVersion: this.#options.serverVersion,
      storageBytes: this.#size.bytes,
      failure: reason,
    });
  }

  members(): readonly MemberReport[] {
    return describeMembers(this.#reading(), Date.now());
  }

  async removeMember(id: ReplicaId, force: boolean, signal: AbortSignal): Promise<void> {
    const run = this.#writing();
    for (let tries = 0; tries < PULL_TRIES_MAX; tries += 1) {
      await this.#admit(run, signal);
      const { generation, replica } = run.host.active;
      const group = replica.groupNumber;
      const result = run.host.change(Date.now(), ({ peering }) => peering.remove(id, force, Date.now()));
      const done =
        result === "done" && replica.members.isRemoved(id) && !replica.durableMembers.isRemoved(id);
      const durable = done ? run.durable(generation, group) : undefined;
      run.pump();
      if (result === "done") return durable;
      if (result !== "pull") throw new MeshkvError(result.code, result.message);
      await sleep(PULL_PAUSE_MS, undefined, { signal });
    }
    throw new MeshkvError("UNAVAILABLE", `the writes of ${id} could not be fetched in time: try again`);
  }

  /** Ends links in order, flushes what is under way and closes the database. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopped.abort();
    this.#options.onServing(false);
    await this.#reopening;
    await this.#run?.stop();
    await this.#run?.database.close();
  }
}

/** Returns whether there was a live entry; throws when the condition does not hold. */
function checkCondition(entry: Entry | undefined, write: LocalWrite, index: number, nowMs: number): boolean {
  const live = isLive(entry, nowMs) ? entry : undefined;
  const { condition } = write;
  if (condition === undefined) return live !== undefined;
  const current = live === undefined ? undefined : formatVersion(live.winner);
  const holds =
    condition.kind === "absent"
      ? current === undefined
      : condition.kind === "present"
        ? current !== undefined
        : current === formatVersion(condition.version);
  if (holds) return live !== undefined;
  const found = current === undefined ? "the key is absent" : `its version is ${current}`;
  throw new MeshkvError("CONDITION_FAILED", `the condition does not hold on this replica: ${found}`, {
    index: String(index),
    ...(current === undefined ? {} : { version: current }),
  });
}
