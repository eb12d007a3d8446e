/**
 * One run of a replica on an open database: carries out what the core's {@link Host} wants done, and tells it what came
 * of it. Holds no rule of its own. A run ends when the process stops, or when the engine fails: then a new one begins on
 * the reopened database.
 */
import { randomBytes } from "node:crypto";
import {
  decodeState,
  type ErrorCode,
  FormatError,
  foundingState,
  Host,
  type HostAction,
  type HostConfig,
  idFromWords,
  MeshkvError,
  type ReplicaId,
  type ReplicaState,
  type Table,
  timestampFromMs,
} from "@meshkv/core";
import type { Database } from "@meshkv/store";
import type { PeerStream } from "../grpc/peer-stream.ts";
import type { EventLog } from "./event-log.ts";
import { LastingTroubles } from "./lasting-troubles.ts";
import { type DialPeer, PeerLinks } from "./peer-links.ts";
import { Reclaiming } from "./reclaiming.ts";
import type { RunMeter } from "./run-meter.ts";

const TICK_MS = 50;
/** Uncommitted bytes above which peers are held back. */
const CONGESTED_BYTES = 16 * 1024 * 1024;

interface Waiter {
  resolve(): void;
  reject(error: MeshkvError): void;
}

export interface RunOptions {
  readonly database: Database;
  readonly config: HostConfig;
  readonly meshName: string;
  readonly dialPeer: DialPeer;
  readonly log: EventLog;
  /** Is told of the work; undefined: nobody measures it. */
  readonly meter?: RunMeter | undefined;
  /** The engine has failed: nothing more can be written in this run. */
  readonly onFailure: (error: MeshkvError) => void;
}

export class Run {
  readonly host: Host;
  readonly database: Database;
  readonly links: PeerLinks;
  readonly #options: RunOptions;
  readonly #waiters = new Map<string, Waiter[]>();
  readonly #observers = new Set<() => void>();
  /** The last write to each generation: writes of one generation go one after the other. */
  readonly #writes = new Map<number, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #pumping = false;
  #failure: MeshkvError | undefined;
  #isStarted = false;
  #held: HostAction[] = [];
  readonly #reclaiming = new Reclaiming({
    logs: () => this.#reclaim(this.database.reclaimLogs(this.host.active.replica.floors)),
    all: () => this.#reclaim(this.database.reclaimAll()),
  });
  readonly #partings = new LastingTroubles();

  private constructor(options: RunOptions, state: ReplicaState) {
    const { database } = options;
    this.#options = options;
    this.database = database;
    const generation = database.currentGeneration;
    const environment = {
      openGeneration: (number: number) => this.#table(number),
      randomWord: () => randomBytes(4).readUInt32BE(),
    };
    this.host = new Host(options.config, environment, state, generation, this.#table(generation), Date.now());
    this.links = new PeerLinks(this.host, options.dialPeer, options.log, () => this.pump(), options.meter);
  }

  /**
   * Begins a run: the new process start is durable before anything is told to anybody.
   * @throws MeshkvError STORAGE_FAILED when the stored state cannot be read, STORAGE_FULL
   */
  static async start(options: RunOptions): Promise<Run> {
    const { database } = options;
    for (const stale of await database.generations()) {
      if (stale !== database.currentGeneration) await database.wipe(stale);
    }
    const run = new Run(options, await recoverState(options));
    if (database.damage.length > 0) run.#markDamaged(database.damage.join("; "));
    run.pump();
    await run.durable(run.host.active.generation, run.host.active.replica.groupNumber - 1);
    run.#isStarted = true;
    run.#execute(run.#held);
    run.#timer = setInterval(() => {
      run.#tick();
    }, TICK_MS);
    return run;
  }

  #tick(): void {
    const { spareBytes } = this.database;
    this.host.tick(Date.now(), spareBytes);
    this.#reclaiming.look(this.host.active.replica.logBytes, spareBytes, performance.now());
    this.pump();
  }

  /** Never rejects: what the engine meets here, it meets again when it writes. */
  async #reclaim(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#options.log.warn({ message: String(error) }, "disk space was not given back");
    }
  }

  /** What the core reads: a row that cannot be read counts as absent, and the replica as damaged (rule W5). */
  #table(number: number): Table {
    const generation = this.database.generation(number);
    return {
      entry: (key) => {
        try {
          return generation.entry(key);
        } catch (error) {
          if (!(error instanceof MeshkvError)) throw error;
          queueMicrotask(() => this.damaged(error.message));
          return undefined;
        }
      },
    };
  }

  get failure(): MeshkvError | undefined {
    return this.#failure;
  }

  /** A damaged row was met: acknowledged writes may be missing, so the replica rejoins at the next occasion (rule W5). */
  damaged(message: string): void {
    if (this.host.active.replica.identity.damaged) return;
    this.#markDamaged(message);
    this.host.change(Date.now(), ({ peering }) =>
      peering.closeAll("UNAVAILABLE", "this replica found damage"),
    );
    this.pump();
  }

  #markDamaged(message: string): void {
    this.#options.log.error(
      { message },
      "damage found in the data directory: the replica will rejoin through a peer",
    );
    this.host.change(Date.now(), ({ replica }) =>
      replica.setIdentity({ ...replica.identity, damaged: true }),
    );
  }

  accept(stream: PeerStream): void {
    this.links.accept(stream);
  }

  /** Resolves when the group is durable; rejects when the run ends before. */
  durable(generation: number, group: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const name = `${generation}:${group}`;
      const waiters = this.#waiters.get(name);
      if (waiters === undefined) this.#waiters.set(name, [{ resolve, reject }]);
      else waiters.push({ resolve, reject });
    });
  }

  /** Resolves once the condition holds; asked again after every event. Rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#observers.delete(check);
        signal.removeEventListener("abort", abort);
      };
      const check = (): void => {
        if (this.#failure !== undefined) {
          finish();
          reject(this.#failure);
        } else if (condition()) {
          finish();
          resolve();
        }
      };
      const abort = (): void => {
        finish();
        reject(signal.reason as Error);
      };
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener("abort", abort);
      this.#observers.add(check);
      check();
    });
  }

  /** Calls the listener after every event, and when the run ends. */
  observe(listener: () => void): void {
    this.#observers.add(listener);
  }

  /** Carries out what the host wants done, until it wants nothing more. */
  pump(): void {
    if (this.#pumping || this.#failure !== undefined) return;
    this.#pumping = true;
    try {
      for (let actions = this.host.take(); actions.length > 0; actions = this.host.take())
        this.#execute(actions);
    } finally {
      this.#pumping = false;
    }
    const congested = this.host.active.replica.pendingBytes > CONGESTED_BYTES || this.database.isFull;
    this.links.setPaused(congested);
    for (const observer of this.#observers) observer();
  }

  #execute(actions: readonly HostAction[]): void {
    for (const action of actions) this.#carryOut(action);
  }

  #carryOut(action: HostAction): void {
    switch (action.kind) {
      case "send":
        return this.links.send(action.link, action.message);
      case "close":
        return this.links.close(action.link, action.code, action.message);
      case "dial":
        // Nobody hears of a process start that is not durable.
        if (!this.#isStarted) this.#held.push(action);
        else this.links.dial(action.address, action.invited, action.generation);
        return;
      case "scan":
        return this.#inBackground(this.#scan(action));
      case "commit":
        return this.#inBackground(this.#commit(action));
      case "switch":
        return this.#inBackground(this.#switch(action.generation));
      case "discard":
        return this.#inBackground(this.#discard(action.generation));
      case "event":
        return this.#tell(action.name, action.details);
    }
  }

  #tell(name: string, details: EventDetails): void {
    const { log } = this.#options;
    const { peer = "", code = "" } = details;
    if (code === "UNAVAILABLE") log.debug(details, name);
    // Moving into the older of two meshes is how every mesh begins.
    else if (name === "rejoining" && code === "WRONG_MESH") log.info(details, name);
    else if (LOUD_EVENTS.has(name)) log.warn(details, name);
    else if (LOUD_REFUSALS.has(code) && this.#partings.isLoud(`${peer} ${code}`, Date.now()))
      log.warn(details, name);
    else log.info(details, name);
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error));
  }

  async #scan({ generation, id, request }: Extract<HostAction, { kind: "scan" }>): Promise<void> {
    const result = await this.database.generation(generation).scan(request);
    if (this.#failure !== undefined) return;
    this.host.scanned(generation, id, result, Date.now());
    this.pump();
  }

  async #commit({ generation, group }: Extract<HostAction, { kind: "commit" }>): Promise<void> {
    const startMs = performance.now();
    // Writers and peers are refused at the door when the disk is full; what is inside must get through.
    await this.#inTurn(generation, () =>
      this.database.generation(generation).commit(group, { essential: true }),
    );
    if (this.#failure !== undefined) return;
    this.#options.meter?.committed(group.records.length, performance.now() - startMs);
    this.host.groupDurable(generation, group.number, Date.now());
    const name = `${generation}:${group.number}`;
    const waiters = this.#waiters.get(name) ?? [];
    this.#waiters.delete(name);
    for (const waiter of waiters) waiter.resolve();
    this.pump();
  }

  async #switch(generation: number): Promise<void> {
    await this.#inTurn(generation, () => this.database.switchTo(generation, undefined, { essential: true }));
    if (this.#failure !== undefined) return;
    this.host.switched(generation, Date.now());
    this.pump();
  }

  async #discard(generation: number): Promise<void> {
    await this.#inTurn(generation, async () => {
      await this.database.wipe(generation);
    });
    this.#writes.delete(generation);
  }

  #inTurn(generation: number, write: () => Promise<void>): Promise<void> {
    const before = this.#writes.get(generation);
    const turn = before === undefined ? write() : before.then(write);
    this.#writes.set(generation, turn);
    return turn;
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const isOperating = error instanceof MeshkvError;
    if (!isOperating)
      this.#options.log.error({ error: String(error), stack: (error as Error).stack }, "internal error");
    this.#failure = isOperating
      ? error
      : new MeshkvError("INTERNAL", `the replica stopped: ${String(error)}`);
    this.#end(this.#failure);
    this.#options.onFailure(this.#failure);
  }

  #end(error: MeshkvError): void {
    clearInterval(this.#timer);
    this.links.stop();
    // What the engine took before it failed may be in its log, and come back with it: nobody may take that for a refusal.
    const doubt =
      error.code === "STORAGE_FULL"
        ? new MeshkvError("STORAGE_FAILED", `${error.message}; the write may have been done all the same`)
        : error;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.reject(doubt);
    this.#waiters.clear();
    for (const observer of this.#observers) observer();
  }

  /** Ends links in order, waits for commits under way, and stops. The database stays open. */
  async stop(): Promise<void> {
    if (this.#failure !== undefined) return;
    clearInterval(this.#timer);
    this.host.closeLinks();
    this.pump();
    for (let turns = 0; turns < 100 && this.host.active.replica.isCommitting; turns += 1) {
      await Promise.allSettled(this.#writes.values());
    }
    this.#failure = new MeshkvError("UNAVAILABLE", "this server is closing: ask another one");
    this.#end(this.#failure);
  }
}

async function recoverState(options: RunOptions): Promise<ReplicaState> {
  const { database, meshName, log } = options;
  let state: ReplicaState;
  try {
    const sections = await database.generation(database.currentGeneration).sections();
    if (sections.size === 0) return newState(options, database.damage.length > 0);
    state = decodeState(sections);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof MeshkvError) || database.failure !== undefined)
      throw error;
    // The entries are still there: under a new identity they can be read, and offered to the mesh (rule W5).
    log.error({ message: error.message }, "damage found: the stored state of the replica cannot be read");
    return newState(options, true);
  }
  const { name } = state.identity.mesh;
  if (name !== meshName) {
    throw new MeshkvError(
      "WRONG_MESH",
      `the data directory belongs to mesh "${name}", not "${meshName}": name the right one with --mesh, or use another directory`,
    );
  }
  log.debug({ replica: state.identity.replicaId }, "state recovered");
  return state;
}

function newState({ config, meshName }: RunOptions, isDamaged: boolean): ReplicaState {
  const id = idFromWords(randomBytes(4).readUInt32BE(), randomBytes(4).readUInt32BE()) as ReplicaId;
  const state = foundingState(id, meshName, timestampFromMs(Date.now()), config.address);
  return { ...state, identity: { ...state.identity, damaged: isDamaged } };
}

const LOUD_EVENTS: ReadonlySet<string> = new Set([
  "rejoining",
  "rejoin-failed",
  "rejoin-impossible",
  "founded-anew",
  "member-removed",
  "joiner-dropped",
]);

/** Why two replicas part that an operator has to know of. */
const LOUD_REFUSALS: ReadonlySet<string | number> = new Set<ErrorCode>([
  "WRONG_MESH",
  "CLOCK_SKEW",
  "UNSUPPORTED_PROTOCOL",
  "ROLLED_BACK",
  "DUPLICATE_REPLICA",
]);

type EventDetails = Readonly<Record<string, string | number>>;
