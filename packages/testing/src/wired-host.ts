/** One host among {@link WiredHosts}, with its directory in memory. */
import {
  conflictsOf,
  decodeState,
  foundingState,
  Host,
  type HostAction,
  type HostConfig,
  idFromWords,
  isLive,
  type KeyText,
  type Replica,
  type ReplicaId,
  timestampFromMs,
  type WriteRecord,
} from "@meshkv/core";
import { type DiskImage, type DiskOperation, SimulatedDisk } from "./simulator/disk.ts";
import type { SimulatedTables } from "./simulator/tables.ts";

/** Something for the log. */
export interface WiredEvent {
  readonly name: string;
  readonly details: Readonly<Record<string, string | number>>;
}

type LocalAction = Exclude<HostAction, { kind: "send" | "close" | "dial" | "event" }>;

/** A host that is started and stopped on one directory; see {@link WiredHosts}. */
export class WiredHost {
  readonly name: string;
  readonly events: WiredEvent[] = [];
  /** The wall clock's error in milliseconds. */
  offsetMs = 0;
  /** What its disk has beyond what the engine needs, in bytes. */
  spareBytes = Number.POSITIVE_INFINITY;
  /** While set, nothing becomes durable. */
  holdsCommits = false;
  /** Called when a group shows in the tables and the host has not been told: others may be at work in between. */
  onShown: (() => void) | undefined;
  readonly #disk = new SimulatedDisk(false);
  readonly #trueMs: () => number;
  readonly #number: number;
  #words = 0;
  #host: Host | undefined;
  #config: HostConfig | undefined;
  #held: DiskOperation[] = [];

  /** @param number makes the ids that the host draws: hosts with smaller numbers draw smaller ids */
  constructor(name: string, number: number, trueMs: () => number) {
    this.name = name;
    this.#number = number;
    this.#trueMs = trueMs;
  }

  get wallMs(): number {
    return this.#trueMs() + this.offsetMs;
  }

  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  get host(): Host {
    if (this.#host === undefined) throw new Error(`${this.name} does not run`);
    return this.#host;
  }

  get replica(): Replica {
    return this.host.active.replica;
  }

  /** The rows of the generation that serves. */
  get tables(): SimulatedTables {
    return this.#disk.tables(this.#disk.current);
  }

  /** A new process on the directory. */
  start(config: HostConfig): void {
    this.#config = config;
    const nowMs = this.wallMs;
    const { sections } = this.tables;
    const id = idFromWords(this.#number, this.#word()) as ReplicaId;
    const state =
      sections.size === 0
        ? foundingState(id, "default", timestampFromMs(nowMs), config.address)
        : decodeState(sections);
    const environment = {
      openGeneration: (number: number) => this.#disk.reopen(number),
      randomWord: () => this.#word(),
    };
    this.#held = [];
    this.#host = new Host(config, environment, state, this.#disk.current, this.tables, nowMs);
  }

  #word(): number {
    this.#words += 1;
    return this.#number * 0x100_0000 + this.#words;
  }

  /** The configuration of the last start. */
  get config(): HostConfig {
    if (this.#config === undefined) throw new Error(`${this.name} was never started`);
    return this.#config;
  }

  /** Ends the process; see {@link WiredHosts.stop}. */
  stop(): void {
    this.#host = undefined;
    this.#disk.restore(this.#disk.image());
  }

  /** A copy of the directory as it is now. */
  image(): DiskImage {
    return this.#disk.image();
  }

  /** Puts an image in place of the directory; only while stopped. */
  restore(image: DiskImage): void {
    this.#disk.restore(image);
  }

  /** Carries out one action on the directory; returns whether the host was told of something. */
  carryOut(action: LocalAction): boolean {
    if (action.kind === "scan") {
      const result = this.#disk.tables(action.generation).scan(action.request);
      this.host.scanned(action.generation, action.id, result, this.wallMs);
      return true;
    }
    this.#disk.submit(action);
    this.#held.push(action);
    if (this.holdsCommits) return false;
    this.makeDurable();
    return true;
  }

  /** Makes everything durable that was committed. Collect the host's actions afterwards. */
  makeDurable(): void {
    const held = this.#held;
    this.#held = [];
    for (const operation of held) {
      this.#disk.sync(operation);
      this.onShown?.();
      if (operation.kind === "commit") {
        this.host.groupDurable(operation.generation, operation.group.number, this.wallMs);
      } else if (operation.kind === "switch") this.host.switched(operation.generation, this.wallMs);
    }
  }

  /** Writes puts, or deletes where the value is undefined, as one batch. */
  write(values: Readonly<Record<string, string | undefined>>, expiresAtMs = 0): readonly WriteRecord[] {
    const writes = Object.entries(values).map(([key, value]) => ({
      key: key as KeyText,
      value: value === undefined ? undefined : new TextEncoder().encode(value),
      expiresAtMs,
    }));
    return this.host.write(writes, this.wallMs).records;
  }

  /** What a reader finds, by key. */
  get values(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [key, entry] of this.tables.entries) {
      if (isLive(entry, this.wallMs)) found[key] = new TextDecoder().decode(entry.winner.value);
    }
    return found;
  }

  /** Values of the unsettled conflicts of a key, greatest first. */
  conflicts(key: string): string[] {
    const entry = this.tables.entries.get(key as KeyText);
    return entry === undefined ? [] : conflictsOf(entry).map(({ value }) => new TextDecoder().decode(value));
  }

  /** Records in all logs. */
  get logLength(): number {
    return [...this.tables.logs.values()].reduce((sum, log) => sum + log.length, 0);
  }

  /** Replica ids with which records are exchanged now. */
  get linkedPeers(): ReplicaId[] {
    const { sessions } = this.host.active.peering;
    return sessions.filter((s) => s.mode === "streaming").flatMap((s) => s.peer ?? []);
  }

  /** How many events of the name were told. */
  count(name: string): number {
    return this.events.filter((event) => event.name === name).length;
  }
}
