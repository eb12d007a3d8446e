/** One machine that is alive for the length of a step: the production host on a disk in memory. */
import {
  type ChangeSet,
  decodeState,
  encodeMessage,
  decodeMessage,
  type Entry,
  type HostAction,
  type HostConfig,
  type KeyText,
  type LinkId,
  PEERING_DEFAULTS,
  type ReplicaId,
  type Timestamp,
  type VersionVector,
  type Write,
  type WriteRecord,
} from "@meshkv/core";
import type { DiskImage } from "../simulator/disk.ts";
import { WiredHost } from "../wired-host.ts";

/** What can happen to a machine. */
export type MachineEvent =
  | { readonly kind: "tick" }
  | { readonly kind: "write"; readonly write: ClientWrite }
  | { readonly kind: "open"; readonly link: LinkId; readonly role: LinkRole; readonly address: string }
  | { readonly kind: "closed"; readonly link: LinkId }
  | { readonly kind: "message"; readonly link: LinkId; readonly message: number }
  | { readonly kind: "sync" }
  | { readonly kind: "remove"; readonly member: ReplicaId };

/** Which side of a link a machine is; a successor dials on its own. */
export type LinkRole = "dialler" | "successor" | "answerer";

/** A write of a client; `lifeMs` is the time until its deadline, 0 for none. */
export interface ClientWrite {
  readonly key: string;
  readonly value: string | undefined;
  readonly lifeMs: number;
}

/** Where a process begins: a directory, and the clock. */
export interface Base {
  readonly index: number;
  /** Counts the machine's processes. */
  readonly process: number;
  readonly image: DiskImage;
  readonly clockMs: number;
  /** Commits wait for a `sync`. */
  readonly isLazy: boolean;
  readonly peers: readonly string[];
}

/** What a step led to. */
export interface StepOutcome {
  readonly sends: { readonly link: LinkId; readonly message: number }[];
  readonly closes: LinkId[];
  /** Addresses that the successor under construction wants to reach. */
  readonly dials: string[];
  /** Records that were accepted, durable or not. */
  readonly accepted: WriteRecord[];
  /** Records that became durable. */
  readonly durable: WriteRecord[];
  /** Records that the step's client write made. */
  readonly written: readonly WriteRecord[];
  /** A successor took over. */
  hasSwitched: boolean;
}

/** What can be seen of a machine from outside, durable state first. */
export interface MachineView {
  readonly replica: ReplicaId;
  readonly members: readonly ReplicaId[];
  readonly removed: readonly ReplicaId[];
  readonly vector: VersionVector;
  readonly horizon: Timestamp;
  readonly floors: ReadonlyMap<ReplicaId, Timestamp>;
  readonly entries: ReadonlyMap<KeyText, Entry>;
  readonly digest: string;
  readonly mayWrite: boolean;
  readonly hasPending: boolean;
  readonly clockMs: number;
  /** Where a successor copies from. */
  readonly source: string | undefined;
}

export const TICK_MS = 1000;
const NEVER_MS = 1e12;

/** The address of a machine. */
export function addressOf(index: number): string {
  return `m${index}`;
}

export class LiveMachine {
  readonly base: Base;
  readonly wired: WiredHost;
  #clockMs: number;
  #pending: { readonly generation: number; readonly group: ChangeSet }[] = [];

  constructor(base: Base) {
    this.base = base;
    this.#clockMs = base.clockMs;
    this.wired = new WiredHost(addressOf(base.index), 1 + base.index + 8 * base.process, () => this.#clockMs);
    this.wired.restore(base.image);
    this.wired.holdsCommits = base.isLazy;
    const config: HostConfig = {
      ...PEERING_DEFAULTS,
      address: addressOf(base.index),
      peers: base.peers,
      claimBusyMs: TICK_MS,
      claimIdleMs: TICK_MS,
      hearsayMs: TICK_MS,
      greetingTimeoutMs: NEVER_MS,
      joinLeaseMs: NEVER_MS,
      memberTimeoutMs: NEVER_MS,
      conflictRetentionMs: NEVER_MS,
      rejoinPatienceMs: NEVER_MS,
    };
    this.wired.start(config);
  }

  /** Lets an event happen, and everything that follows from it within the machine. */
  handle(event: MachineEvent | undefined): StepOutcome {
    const outcome: StepOutcome = {
      sends: [],
      closes: [],
      dials: [],
      accepted: [],
      durable: [],
      written: [],
      hasSwitched: false,
    };
    const before = this.wired.replica.id;
    const written = event === undefined ? [] : this.#tell(event, outcome);
    this.#collect(outcome);
    outcome.accepted.push(...this.wired.replica.group.records);
    return { ...outcome, written, hasSwitched: this.wired.replica.id !== before };
  }

  #tell(event: MachineEvent, outcome: StepOutcome): readonly WriteRecord[] {
    const { host } = this.wired;
    const nowMs = this.#clockMs;
    switch (event.kind) {
      case "tick":
        this.#clockMs += TICK_MS;
        host.tick(this.#clockMs);
        return [];
      case "write": {
        const { key, value, lifeMs } = event.write;
        const write: Write = {
          key: key as KeyText,
          value: value === undefined ? undefined : new TextEncoder().encode(value),
          expiresAtMs: lifeMs === 0 ? 0 : nowMs + lifeMs,
        };
        return host.write([write], nowMs).records;
      }
      case "open": {
        const isDialled = event.role !== "answerer";
        const info = { link: event.link, dialled: isDialled, invited: isDialled, address: event.address };
        const slot = event.role === "successor" ? host.successor : host.active;
        host.linkOpened(info, (slot ?? host.active).generation, nowMs);
        return [];
      }
      case "closed":
        host.linkClosed(event.link, nowMs);
        return [];
      case "message":
        host.received(event.link, decodeMessage(messageBytes(event.message)), nowMs);
        return [];
      case "sync":
        this.#settleGroups(outcome);
        this.wired.makeDurable();
        return [];
      case "remove":
        host.change(nowMs, ({ peering }) => peering.remove(event.member, true, nowMs));
        return [];
    }
  }

  #collect(outcome: StepOutcome): void {
    const { host } = this.wired;
    for (let actions = host.take(); actions.length > 0; actions = host.take()) {
      for (const action of actions) this.#carryOut(action, outcome);
    }
  }

  #carryOut(action: HostAction, outcome: StepOutcome): void {
    switch (action.kind) {
      case "send":
        outcome.sends.push({ link: action.link, message: numberOfMessage(encodeMessage(action.message)) });
        return;
      case "close":
        outcome.closes.push(action.link);
        return;
      case "dial":
        if (action.generation !== this.wired.host.active.generation) outcome.dials.push(action.address);
        return;
      case "event":
        return;
      case "commit":
        this.#pending.push(action);
        outcome.accepted.push(...recordsOf(action.group));
        if (!this.base.isLazy) this.#settleGroups(outcome);
        break;
      default:
    }
    this.wired.carryOut(action);
  }

  #settleGroups(outcome: StepOutcome): void {
    for (const { group } of this.#pending) outcome.durable.push(...recordsOf(group));
    this.#pending = [];
  }

  /** What a process that begins on the directory finds, after a crash. */
  baseAfterCrash(keepsPending: boolean): Base {
    if (keepsPending) this.wired.makeDurable();
    return {
      ...this.base,
      process: this.base.process + 1,
      image: this.wired.image(),
      clockMs: this.#clockMs,
    };
  }

  /** Records that a crash may take, or leave. */
  get pendingRecords(): readonly WriteRecord[] {
    return this.#pending.flatMap(({ group }) => recordsOf(group));
  }

  view(): MachineView {
    const { host, replica, tables } = this.wired;
    const progress = tables.sections.size < 3 ? undefined : decodeState(tables.sections).progress;
    return {
      replica: replica.id,
      members: replica.durableMembers.current(),
      removed: replica.durableMembers.removed(),
      vector: replica.durableVector.clone(),
      horizon: progress?.horizon ?? 0,
      floors: progress?.floors ?? new Map(),
      entries: new Map(tables.entries),
      digest: replica.durableDigest.summary(),
      mayWrite: !host.isFrozen,
      hasPending: this.#pending.length > 0,
      clockMs: this.#clockMs,
      source: host.rejoin?.address,
    };
  }
}

function recordsOf(group: ChangeSet): WriteRecord[] {
  const kept = [...group.entries.values()].flatMap(({ after }) =>
    after === undefined ? [] : [after.winner, ...after.siblings],
  );
  return [...group.records, ...kept];
}

const messages: Uint8Array[] = [new Uint8Array(0)];
const messageNumbers = new Map<string, number>();

/** Equal messages have equal numbers, from 1 on. */
function numberOfMessage(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  let number = messageNumbers.get(text);
  if (number === undefined) {
    number = messages.length;
    messages.push(bytes.slice());
    messageNumbers.set(text, number);
  }
  return number;
}

function messageBytes(number: number): Uint8Array {
  const bytes = messages[number];
  if (bytes === undefined) throw new RangeError(`no message ${number}`);
  return bytes;
}
