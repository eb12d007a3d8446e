/** One process life: carries out what the production state machine asks for, over simulated surroundings. */
import {
  decodeState,
  foundingState,
  Host,
  type HostAction,
  idFromWords,
  type LinkId,
  type LinkInfo,
  type PeerMessage,
  type ReplicaId,
  timestampFromMs,
  type Write,
  type WriteRecord,
} from "@meshkv/core";
import type { DiskOperation } from "./disk.ts";
import type { Machine } from "./machine.ts";
import type { LinkEnd, Network } from "./network.ts";
import type { Observer } from "./observer.ts";
import type { WorldParameters } from "./parameters.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";

/** What a shell needs of its world. */
export interface Surroundings {
  readonly parameters: WorldParameters;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly network: Network;
  readonly observer: Observer;
  /** Clients are told that their writes are durable. */
  acknowledged(shell: Shell, records: readonly WriteRecord[]): void;
}

interface Waiting {
  readonly generation: number;
  readonly group: number;
  readonly records: readonly WriteRecord[];
}

export class Shell {
  readonly machine: Machine;
  readonly #world: Surroundings;
  readonly #links = new Map<LinkId, LinkEnd>();
  readonly #host: Host;
  #nextLink = 1;
  #isRunning = true;
  #lastSyncUs = 0;
  #mayWrite = false;
  #hasFailed = false;
  #waiting: Waiting[] = [];

  /** Starts a process on the machine's directory. */
  constructor(machine: Machine, world: Surroundings) {
    this.machine = machine;
    this.#world = world;
    const { disk } = machine;
    const { random } = world;
    const generation = disk.current;
    const tables = disk.tables(generation);
    const nowMs = machine.wallMs();
    const id = idFromWords(random.word(), random.word()) as ReplicaId;
    const state =
      tables.sections.size === 0
        ? foundingState(id, world.parameters.meshName, timestampFromMs(nowMs), machine.address)
        : decodeState(tables.sections);
    const environment = {
      openGeneration: (number: number) => disk.reopen(number),
      randomWord: () => random.word(),
    };
    disk.onDurable = (operation) => world.observer.durable(machine, operation);
    this.#host = new Host(machine.config, environment, state, generation, tables, nowMs);
    machine.shell = this;
    world.observer.started(this);
    this.#after();
    this.#scheduleTick();
  }

  get host(): Host {
    return this.#host;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether a client's write would be taken now. */
  get mayWrite(): boolean {
    return (
      this.#isRunning &&
      this.#mayWrite &&
      !this.#hasFailed &&
      this.machine.fullUntilUs <= this.#world.scheduler.nowUs &&
      !this.#host.isFrozen &&
      !this.#host.active.peering.isClockOff()
    );
  }

  newLink(): LinkId {
    this.#nextLink += 1;
    return this.#nextLink;
  }

  /** An fsync fails: nothing becomes durable any more, reads and peers go on, until the directory is opened again. */
  failDisk(): void {
    this.#hasFailed = true;
    this.#world.trace.say(() => `the disk of ${this.#name} fails`);
  }

  /** The process dies at once. */
  crash(isSilent: boolean): void {
    this.#isRunning = false;
    this.machine.shell = undefined;
    this.machine.disk.crash(this.#world.random);
    this.#world.network.processDied(this, isSilent);
    this.#world.trace.say(() => `${this.#name} crashes`);
  }

  write(writes: readonly Write[]): readonly WriteRecord[] {
    const { group, records, generation } = this.#host.write(writes, this.machine.wallMs());
    this.#waiting.push({ generation, group, records });
    const { observer } = this.#world;
    observer.wrote(this, writes, records);
    const { durableClockMark } = this.#host.active.replica;
    if (records.every(({ timestamp }) => timestamp <= durableClockMark)) observer.toldEarly(records);
    this.#world.trace.say(() => `${this.#name} writes ${records.map(describeRecord).join(", ")}`);
    this.#after();
    return records;
  }

  /** Asks the process to remove a member. */
  removeMember(member: ReplicaId, force: boolean): void {
    this.#world.trace.say(() => `${this.#name} is asked to remove ${member}`);
    const nowMs = this.machine.wallMs();
    const result = this.#host.change(nowMs, ({ peering }) => peering.remove(member, force, nowMs));
    this.#after();
    if (result !== "pull") return;
    this.#world.scheduler.after(200_000, () => {
      if (this.#isRunning) this.removeMember(member, force);
    });
  }

  linkOpened(end: LinkEnd, info: LinkInfo, generation: number | undefined): void {
    if (!this.#isRunning) return this.#world.network.hangUp(end);
    this.#links.set(end.link, end);
    this.#host.linkOpened(info, generation ?? this.#host.active.generation, this.machine.wallMs());
    this.#after();
  }

  dialFailed(address: string, generation: number): void {
    if (!this.#isRunning) return;
    this.#host.dialFailed(address, generation, this.machine.wallMs());
    this.#after();
  }

  linkClosed(end: LinkEnd): void {
    if (!this.#isRunning) return;
    this.#links.delete(end.link);
    this.#host.linkClosed(end.link, this.machine.wallMs());
    this.#after();
  }

  blocked(end: LinkEnd, isBlocked: boolean): void {
    if (!this.#isRunning) return;
    // Back-pressure is told after the actions under way, as a transport would.
    this.#world.scheduler.after(0, () => {
      if (!this.#isRunning || end.state !== "open" || end.outgoing.isBlocked !== isBlocked) return;
      end.framesWhileHeld = isBlocked ? 0 : undefined;
      this.#host.linkBlocked(end.link, isBlocked, this.machine.wallMs());
      this.#after();
    });
  }

  received(end: LinkEnd, message: PeerMessage): void {
    if (!this.#isRunning) return;
    this.#world.trace.say(() => `${this.#name} receives ${describeMessage(message)} on ${end.link}`);
    this.#host.received(end.link, message, this.machine.wallMs());
    this.#after();
  }

  get #name(): string {
    const { replica, generation } = this.#host.active;
    return `${this.machine.address}/${replica.id.slice(0, 4)}.${generation}`;
  }

  #scheduleTick(): void {
    const { scheduler, parameters, random } = this.#world;
    scheduler.after(random.between(parameters.tickUs / 2, parameters.tickUs), () => {
      if (!this.#isRunning) return;
      const isFull = this.machine.fullUntilUs > scheduler.nowUs;
      this.#host.tick(this.machine.wallMs(), isFull ? 0 : undefined);
      this.#after();
      this.#scheduleTick();
    });
  }

  /** Carries out what the last event led to. */
  #after(): void {
    this.#world.trace.event(this.#world.scheduler.nowUs + this.machine.index);
    for (;;) {
      const actions = this.#host.take();
      if (actions.length === 0) break;
      for (const action of actions) this.#carryOut(action);
    }
    this.#world.observer.afterEvent(this);
  }

  #carryOut(action: HostAction): void {
    const { network, trace, observer } = this.#world;
    switch (action.kind) {
      case "send": {
        const end = this.#links.get(action.link);
        if (end === undefined) return;
        observer.sent(this, action.message);
        // The answer to a scan that was under way may still go out.
        if (end.framesWhileHeld !== undefined && action.message.kind === "frame") {
          end.framesWhileHeld += 1;
          if (end.framesWhileHeld > 1)
            throw new Violation("always-bounded", `${this.#name} sends where the transport takes nothing`);
        }
        network.send(end, action.message);
        return;
      }
      case "close": {
        const end = this.#links.get(action.link);
        this.#links.delete(action.link);
        trace.say(() => `${this.#name} closes ${action.link}: ${action.code ?? ""} ${action.message}`);
        if (end !== undefined) network.hangUp(end);
        return;
      }
      case "scan":
        return this.#scan(action.generation, action.id, action.request);
      case "commit":
        observer.committed(this, action.generation, action.group);
        return this.#commit({ kind: "commit", generation: action.generation, group: action.group });
      case "switch":
      case "discard":
        return this.#commit({ kind: action.kind, generation: action.generation });
      case "dial":
        trace.say(() => `${this.#name} dials ${action.address} for ${action.generation}`);
        return network.dial(this, action.address, action.invited, action.generation);
      case "event":
        observer.event(this, action.name, action.details);
        trace.say(() => `${this.#name} ${action.name} ${JSON.stringify(action.details)}`);
        return;
    }
  }

  #scan(generation: number, id: number, request: Extract<HostAction, { kind: "scan" }>["request"]): void {
    const { random, scheduler, parameters } = this.#world;
    scheduler.after(random.logarithmic(parameters.scanUsMin, parameters.scanUsMax), () => {
      if (!this.#isRunning) return;
      const tables = this.machine.disk.generations.get(generation);
      const smaller =
        "bytesMax" in request
          ? { ...request, bytesMax: Math.min(request.bytesMax, parameters.pageBytes) }
          : request;
      const result = tables?.scan(smaller) ?? ({ kind: "failed", message: "no such generation" } as const);
      this.#host.scanned(generation, id, result, this.machine.wallMs());
      this.#after();
    });
  }

  #commit(operation: DiskOperation): void {
    const { random, scheduler, parameters } = this.#world;
    this.machine.disk.submit(operation);
    const delayUs = random.logarithmic(parameters.syncUsMin, parameters.syncUsMax);
    this.#lastSyncUs = Math.max(this.#lastSyncUs, scheduler.nowUs + delayUs);
    scheduler.after(this.#lastSyncUs - scheduler.nowUs, () => {
      if (!this.#isRunning || this.#hasFailed) return;
      this.machine.disk.sync(operation);
      this.#synced(operation);
      this.#after();
    });
  }

  #synced(operation: DiskOperation): void {
    const nowMs = this.machine.wallMs();
    if (operation.kind === "switch") return this.#host.switched(operation.generation, nowMs);
    if (operation.kind === "discard") return;
    const { generation } = operation;
    const { number } = operation.group;
    this.#host.groupDurable(generation, number, nowMs);
    if (generation === this.#host.active.generation) this.#mayWrite = true;
    const done = this.#waiting.filter((w) => w.generation === generation && w.group <= number);
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter((w) => !done.includes(w));
    for (const { records } of done) this.#world.acknowledged(this, records);
  }
}

/** A record in words. */
export function describeRecord(record: WriteRecord): string {
  const { key, timestamp, origin, adopted } = record;
  const what = record.isDelete ? "delete" : "put";
  const from =
    adopted === undefined
      ? ""
      : ` adopted ${adopted.timestamp}@${adopted.origin.slice(0, 4)} rank ${adopted.rank}${adopted.raised ? " raised" : ""}`;
  const expiry = record.expiresAtMs > 0 ? ` until ${record.expiresAtMs}` : "";
  return `${what} ${key} ${timestamp}@${origin.slice(0, 4)}${from}${expiry}`;
}

function describeMessage(message: PeerMessage): string {
  const short = (_key: string, value: unknown): unknown => {
    if (value instanceof Map || value instanceof Set) return [...value];
    if (value instanceof Uint8Array) return value.length;
    return value;
  };
  if (message.kind === "frame") {
    const { log } = message;
    const vector = [...message.vector.entries()].map(([o, p]) => `${o.slice(0, 4)}:${p.timestamp}`).join(" ");
    const stretch =
      log &&
      `${log.origin.slice(0, 4)} ${log.after}..${log.claim.timestamp} [${log.records.map(describeRecord).join(", ")}]`;
    return `frame V{${vector}} ${message.members === undefined ? "" : "members "}heard ${message.heard.length} log ${stretch}`;
  }
  return JSON.stringify(message, short).slice(0, 300);
}
