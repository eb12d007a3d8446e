/**
 * The replica of this process as handlers see it: conditions, concern, refusals with their codes, and the supervision of
 * runs. When the engine fails, reads go on from the old run while writes are refused; once the disk takes writes again
 * the database is reopened and a new run begins (rule W2).
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Entry,
  type HostConfig,
  isLive,
  type KeyText,
  MeshkvError,
  type ReplicaId,
  type ReplicaStanding,
  type SessionToken,
  type Version,
} from "@meshkv/core";
import { Database, type DatabaseLocation, type Generation } from "@meshkv/store";
import type { PeerStream } from "../grpc/peer-stream.ts";
import type {
  AckOptions,
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
  WriteOptions,
  WriteOutcome,
  WriteTurn,
} from "../handlers/local-replica.ts";
import { findLoser, readConflicts } from "./conflicts.ts";
import { DirectorySize } from "./directory-size.ts";
import type { EventLog } from "./event-log.ts";
import { LocalCommits } from "./local-commits.ts";
import { LocalWatches } from "./local-watches.ts";
import type { DialPeer } from "./peer-links.ts";
import { RequestLedger } from "./request-ledger.ts";
import { describeMembers, describeStatus } from "./report.ts";
import { Run } from "./run.ts";
import type { RunMeter } from "./run-meter.ts";
import { ServedTable } from "./served-table.ts";
import { TableCounts } from "./table-counts.ts";

const REOPEN_PAUSE_MS = 1000;
const PULL_PAUSE_MS = 50;
const PULL_TRIES_MAX = 600;

export interface ServedReplicaOptions {
  readonly location: DatabaseLocation;
  readonly meshName: string;
  readonly serverVersion: string;
  readonly dialPeer: DialPeer;
  readonly log: EventLog;
  /** Is told of the work of runs. */
  readonly meter?: RunMeter;
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
  #commits: LocalCommits | undefined;
  /** The tables that were read last: they are the same for long. */
  #served: { readonly run: Run; readonly number: number; readonly tables: Generation } | undefined;
  readonly #requests = new RequestLedger();
  readonly #stopped = new AbortController();
  readonly #watches = new LocalWatches();

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
    const { location, meshName, dialPeer, log, meter } = this.#options;
    const database = await Database.open(location, {
      onDamage: ({ message }) => this.#run?.damaged(message),
    });
    try {
      await this.#restoreRequests(database);
      this.#run = await Run.start({
        database,
        config,
        meshName,
        dialPeer,
        log,
        meter,
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

  async #restoreRequests(database: Database): Promise<void> {
    try {
      this.#requests.restore(await database.generation(database.currentGeneration).requests());
    } catch (error) {
      // A retry is done again then, which is what happens without a request id.
      this.#options.log.error({ message: String(error) }, "outcomes of earlier requests cannot be read");
    }
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
      if (this.#isStopping || (run !== undefined && !(await run.database.hasRoomToReopen()))) continue;
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

  #writing(): LocalCommits {
    const run = this.#reading();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#commits?.run !== run) this.#commits = new LocalCommits(run, this.#requests);
    return this.#commits;
  }

  get replicaId(): ReplicaId {
    return this.#reading().host.active.replica.id;
  }

  nowMs(): number {
    return Date.now();
  }

  /** What is compared with the tables of peers. */
  readonly table = new ServedTable(() => this.#reading());

  /** What metrics count in the tables. */
  readonly counts = new TableCounts(() => this.#reading());

  /** A peer opened a stream. */
  accept(stream: PeerStream): void {
    const run = this.#run;
    if (run !== undefined && run.failure === undefined) return run.accept(stream);
    stream.start({ onFrame: () => undefined, onDrain: () => undefined, onClose: () => undefined });
    stream.close(new MeshkvError("UNAVAILABLE", "this replica is starting or its storage has failed"));
  }

  get(key: KeyText): Entry | undefined {
    const run = this.#reading();
    const { generation } = run.host.active;
    let served = this.#served;
    if (served?.run !== run || served.number !== generation) {
      served = { run, number: generation, tables: run.database.generation(generation) };
      this.#served = served;
    }
    return served.tables.entry(key);
  }

  async list(
    { start, end, reverse, limit, bytesMax }: ListRange,
    seen?: SessionToken,
  ): Promise<{ entries: readonly Entry[]; more: boolean }> {
    const { database, host } = this.#reading();
    const nowMs = Date.now();
    const { replica, generation: number } = host.active;
    const generation = database.generation(number);
    const keep = (entry: Entry): boolean => {
      seen?.sawEntry(entry, replica);
      return isLive(entry, nowMs);
    };
    let range = { start, end };
    for (;;) {
      // One more than asked for tells whether more follows; a page that met many tombstones may end early.
      const page = await generation.list({ ...range, reverse, limit, bytesMax, keep });
      // Absent keys are part of what is shown. Deletes that are still there were seen above; others were forgotten, at
      // or below what the horizon is now that the page is read.
      seen?.sawForgotten(replica);
      if (page.resume === undefined) return { entries: page.entries, more: false };
      if (page.entries.length > 0) return { entries: page.entries, more: true };
      range = reverse ? { start, end: page.resume } : { start: page.resume, end };
    }
  }

  conflicts(range: ConflictRange): Promise<{ found: readonly KeyConflicts[]; more: boolean }> {
    return this.#onOneGeneration((generation) => readConflicts(generation, range, Date.now()));
  }

  loser(key: KeyText, version: Version): Promise<KeptLoser | undefined> {
    return this.#onOneGeneration((generation) => findLoser(generation, key, version));
  }

  /** Several reads of the tables that serve; they are made again when a successor took over meanwhile. */
  async #onOneGeneration<T>(read: (generation: Generation) => Promise<T>): Promise<T> {
    for (;;) {
      const { database, host } = this.#reading();
      const number = host.active.generation;
      const result = await read(database.generation(number));
      if (host.active.generation === number) return result;
    }
  }

  async write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome> {
    return this.#writing().write(writes, options);
  }

  writeTurn<Result extends object>(work: (turn: WriteTurn) => Result): Result | undefined {
    return this.#writing().turn(work);
  }

  async acknowledge(ticket: CommitTicket, options: AckOptions): Promise<WriteOutcome> {
    return this.#writing().acknowledge(ticket, options);
  }

  get meshName(): string {
    return this.#options.meshName;
  }

  get standing(): ReplicaStanding {
    return this.#reading().host.active.replica;
  }

  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#reading().until(condition, signal);
  }

  watch(request: LocalWatchRequest): LocalWatch {
    return this.#watches.open(this.#reading(), request);
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
    const commits = this.#writing();
    const { run } = commits;
    for (let tries = 0; tries < PULL_TRIES_MAX; tries += 1) {
      await commits.admit(signal);
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
