/**
 * One process: the replica that serves and, while it rejoins, the successor that is built beside it (rule M2). It routes
 * links, scans and groups to the two, runs the handover, and decides whom to dial. Like everything in the core it does
 * no I/O: events go in, {@link HostAction}s come out.
 */
import type { ErrorCode } from "../error-code.ts";
import { idFromWords, type ReplicaId, type StartId } from "../ids.ts";
import { invariant } from "../invariant.ts";
import { MemberSet } from "../member-set.ts";
import type { WriteRecord } from "../record.ts";
import { Replica } from "../replica/replica.ts";
import type { Write } from "../replica/write.ts";
import { emptyProgress, type ReplicaState } from "../replica/state.ts";
import { Joiner } from "../session/joiner.ts";
import type { PeerMessage } from "../session/messages.ts";
import { type LinkId, Outbox } from "../session/outbox.ts";
import { Peering } from "../session/peering.ts";
import type { PeeringConfig } from "../session/peering-config.ts";
import type { LinkInfo } from "../session/session.ts";
import type { ScanResult, Table } from "../table.ts";
import { TIMESTAMP_MAX } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { WatchHub } from "../watch/watch-hub.ts";
import { Dialer } from "./dialer.ts";
import { Founding } from "./founding.ts";
import { Handover } from "./handover.ts";
import type { HostAction } from "./host-action.ts";
import type { Slot } from "./slot.ts";

/** How a process deals with its peers; all times in milliseconds. */
export interface HostConfig extends PeeringConfig {
  /** Addresses of peers that the operator named. */
  readonly peers: readonly string[];
  /** A successor is given up when for this long it hears nothing, or nothing but greetings and refusals. */
  readonly rejoinPatienceMs: number;
  /** The latest changes that are kept in memory for watchers; undefined: CHANGE_RING_BYTES. */
  readonly changeRingBytes?: number;
}

/** What the host needs of its surroundings. */
export interface HostEnvironment {
  /** Tables of a generation that is empty, or to be emptied first. */
  openGeneration(generation: number): Table;
  /** A uniformly random unsigned 32-bit integer. */
  randomWord(): number;
}

interface Succession {
  readonly slot: Slot;
  readonly joiner: Joiner;
  readonly address: string;
  handover: Handover | undefined;
  switching: boolean;
  lastContactMs: number;
}

/**
 * The state machine of one process. Not reentrant: tell it one event at a time, then carry out what {@link
 * Host.take} hands out.
 */
export class Host {
  /** Everybody who watches the replica that serves. */
  readonly watches: WatchHub;
  readonly #config: HostConfig;
  readonly #environment: HostEnvironment;
  readonly #dialer: Dialer;
  readonly #links = new Map<LinkId, { readonly slot: Slot; readonly info: LinkInfo }>();
  readonly #selfAddresses = new Set<string>();
  readonly #founding: Founding;
  #active: Slot;
  #succession: Succession | undefined;
  #frozen = false;
  #frozenAtMs = 0;
  #abandoned: ReplicaId | undefined;
  #nextGeneration: number;
  #actions: HostAction[] = [];
  /** The time of the last event. */
  #nowMs: number;

  /** Starts on recovered or founding state; the first group that it asks to commit opens the process start. */
  constructor(
    config: HostConfig,
    environment: HostEnvironment,
    state: ReplicaState,
    generation: number,
    table: Table,
    nowMs: number,
  ) {
    this.#config = config;
    this.#environment = environment;
    this.#nowMs = nowMs;
    this.#dialer = new Dialer(() => environment.randomWord() / 0x1_0000_0000);
    const outbox = new Outbox();
    const replica = new Replica(state, table);
    this.#active = { generation, table, replica, outbox, peering: new Peering(replica, outbox, config) };
    this.watches = new WatchHub(this.#active, nowMs, config.changeRingBytes);
    this.#nextGeneration = generation + 1;
    this.#founding = new Founding({
      address: config.address,
      randomId: () => this.#randomId(),
      freeze: () => this.#freeze(),
      thaw: () => (this.#frozen = false),
      event: (name, details) => this.#event(name, details),
    });
    replica.beginStart(this.#randomId() as StartId);
    this.#announceAddress(replica, nowMs);
    this.#settle(nowMs);
  }

  /** The replica that serves reads and writes. */
  get active(): Slot {
    return this.#active;
  }

  /** The replica under construction, while this one rejoins. */
  get successor(): Slot | undefined {
    return this.#succession?.slot;
  }

  /** The successor under construction, if any, and how far it is. */
  get rejoin():
    | { readonly phase: Joiner["phase"]; readonly address: string; readonly replicaId: ReplicaId }
    | undefined {
    const current = this.#succession;
    return (
      current && { phase: current.joiner.phase, address: current.address, replicaId: current.slot.replica.id }
    );
  }

  /** Writes have to wait: for milliseconds, while a successor takes over. */
  get isFrozen(): boolean {
    return this.#frozen;
  }

  #randomId(): string {
    return idFromWords(this.#environment.randomWord(), this.#environment.randomWord());
  }

  #announceAddress(replica: Replica, nowMs: number): void {
    const self = replica.members.get(replica.id);
    if (self === undefined || self.address === this.#config.address) return;
    replica.setMembers(
      replica.members.with(replica.id, {
        ...self,
        address: this.#config.address,
        addressTimestamp: replica.tick(nowMs),
      }),
    );
  }

  /**
   * Writes a batch on the serving replica; durable with the returned group. Conditions are the caller's to check, in the
   * same turn, against `active.replica.entry`.
   */
  write(
    writes: readonly Write[],
    nowMs: number,
  ): { readonly records: readonly WriteRecord[]; readonly group: number; readonly generation: number } {
    invariant(!this.#frozen, "writes wait while frozen");
    const { replica, generation } = this.#active;
    const records = replica.write(writes, nowMs);
    const group = replica.groupNumber;
    this.#settle(nowMs);
    return { records, group, generation };
  }

  /** Runs a change on the serving replica, and sends out what follows from it. */
  change<T>(nowMs: number, run: (slot: Slot) => T): T {
    const result = run(this.#active);
    this.#settle(nowMs);
    return result;
  }

  /**
   * A link is up, dialled by either side. A dialled one belongs to the generation that its dial named, any
   * other to the active one.
   */
  linkOpened(info: LinkInfo, generation: number, nowMs: number): void {
    const slot = this.#slotOf(generation);
    // A replica that is being replaced takes nothing more in: it would not be offered.
    if (slot === undefined || (slot === this.#active && this.#frozen)) {
      this.#actions.push({ kind: "close", link: info.link, code: undefined, message: "too late" });
      if (slot !== undefined && info.dialled) this.#dialer.ended(info.address, nowMs);
      return;
    }
    this.#links.set(info.link, { slot, info });
    slot.peering.linkOpened(info, nowMs);
    this.#settle(nowMs);
  }

  /** A dial has failed, or was refused before a link was up. */
  dialFailed(address: string, generation: number, nowMs: number): void {
    if (generation === this.#active.generation) this.#dialer.ended(address, nowMs);
    else this.#successorEnded(generation, nowMs);
  }

  /** A message has come. Messages of one link are told in the order in which they were sent. */
  received(link: LinkId, message: PeerMessage, nowMs: number): void {
    const found = this.#links.get(link);
    if (found === undefined) return;
    const isProgress = message.kind !== "hello" && message.kind !== "refuse";
    if (found.slot === this.#succession?.slot && isProgress) this.#succession.lastContactMs = nowMs;
    found.slot.peering.received(link, message, nowMs);
    this.#settle(nowMs);
  }

  /** A link is gone, for whatever reason but a `close` action. */
  linkClosed(link: LinkId, nowMs: number): void {
    const found = this.#links.get(link);
    if (found === undefined) return;
    this.#forgetLink(link, nowMs);
    found.slot.peering.linkClosed(link);
    this.#settle(nowMs);
  }

  /** The transport takes nothing more for now, or takes again. */
  linkBlocked(link: LinkId, blocked: boolean, nowMs: number): void {
    this.#links.get(link)?.slot.peering.linkBlocked(link, blocked, nowMs);
    this.#settle(nowMs);
  }

  /** Answers a `scan` action; answers may come in any order. */
  scanned(generation: number, id: number, result: ScanResult, nowMs: number): void {
    this.#slotOf(generation)?.outbox.scanned(id, result, nowMs);
    this.#settle(nowMs);
  }

  /** Answers a `commit` action: the group is durable, and {@link Table.entry} returns the state with it. */
  groupDurable(generation: number, group: number, nowMs: number): void {
    const slot = this.#slotOf(generation);
    if (slot === undefined) return;
    const { records, steps } = slot.replica.groupDurable();
    slot.outbox.durable(group);
    if (slot === this.#active) this.watches.published(steps);
    slot.peering.durable(records, nowMs);
    if (slot === this.#active) this.#succession?.handover?.oldDurable();
    if (this.#succession === undefined) this.#founding.advance(this.#active.replica, nowMs);
    this.#settle(nowMs);
  }

  /** The generation has become current: the successor serves from now on. */
  switched(generation: number, nowMs: number): void {
    const succession = this.#succession;
    invariant(succession?.slot.generation === generation, "only the successor takes over");
    const old = this.#active;
    for (const [link, { slot }] of this.#links) {
      if (slot !== old) continue;
      this.#actions.push({ kind: "close", link, code: undefined, message: "replaced" });
      this.#forgetLink(link, nowMs);
    }
    this.#active = succession.slot;
    this.watches.serve(this.#active);
    this.#succession = undefined;
    this.#abandoned = undefined;
    this.#frozen = false;
    this.#actions.push({ kind: "discard", generation: old.generation });
    this.#event("rejoined", { replica: this.#active.replica.id, predecessor: old.replica.id });
    this.#settle(nowMs);
  }

  /**
   * Time has passed: call it every 50 ms or so, with the bytes that the disk has beyond what the engine needs. History, which
   * nobody has to have, takes no more than is left.
   */
  tick(nowMs: number, spareBytes = Number.POSITIVE_INFINITY): void {
    this.watches.tick(nowMs);
    this.#active.peering.announcedMs = this.watches.head.markMs;
    if (!this.#frozen) this.#active.peering.tick(nowMs, spareBytes);
    this.#succession?.slot.peering.tick(nowMs, spareBytes);
    if (!this.#frozen) this.#dial(nowMs);
    this.#dialSource(nowMs);
    if (this.#succession === undefined) this.#founding.advance(this.#active.replica, nowMs);
    this.#settle(nowMs);
  }

  /** Ends all links in order, before the process stops. */
  closeLinks(): void {
    this.#active.peering.closeAll("UNAVAILABLE", "the server is closing");
    this.#succession?.slot.peering.closeAll("UNAVAILABLE", "the server is closing");
    this.#collect(this.#active, 0);
    if (this.#succession !== undefined) this.#collect(this.#succession.slot, 0);
  }

  /** Takes what is to be done, in order. Carry it out and take again, until there is nothing. */
  take(): HostAction[] {
    if (this.#actions.length === 0) {
      this.#active.outbox.resume(this.#nowMs);
      this.#succession?.slot.outbox.resume(this.#nowMs);
      this.#settle(this.#nowMs);
    }
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #slotOf(generation: number): Slot | undefined {
    if (this.#active.generation === generation) return this.#active;
    return this.#succession?.slot.generation === generation ? this.#succession.slot : undefined;
  }

  #forgetLink(link: LinkId, nowMs: number): void {
    const found = this.#links.get(link);
    this.#links.delete(link);
    if (found === undefined || !found.info.dialled) return;
    if (found.slot === this.#active) this.#dialer.ended(found.info.address, nowMs);
    else this.#successorEnded(found.slot.generation, nowMs);
  }

  /** Carries on until nothing follows from anything any more. */
  #settle(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#collect(this.#active, nowMs);
    const succession = this.#succession;
    if (succession !== undefined) {
      this.#collect(succession.slot, nowMs);
      this.#advance(succession, nowMs);
      this.#collect(this.#active, nowMs);
      if (this.#succession === succession) this.#collect(succession.slot, nowMs);
    }
  }

  #collect(slot: Slot, nowMs: number): void {
    for (const action of slot.outbox.take()) {
      if (action.kind === "scan") this.#actions.push({ ...action, generation: slot.generation });
      else if (action.kind === "rejoin")
        this.#beginRejoin(slot, action.address, action.code, action.message, nowMs);
      else {
        if (action.kind === "close") this.#closing(action.link, action.message, nowMs);
        this.#actions.push(action);
      }
    }
    const group = slot.replica.takeGroup();
    if (group !== undefined) this.#actions.push({ kind: "commit", generation: slot.generation, group });
  }

  #closing(link: LinkId, message: string, nowMs: number): void {
    const address = this.#links.get(link)?.info.address ?? "";
    if (message === "self" && address !== "") this.#selfAddresses.add(address);
    this.#forgetLink(link, nowMs);
  }

  #event(name: string, details: Readonly<Record<string, string | number>>): void {
    this.#actions.push({ kind: "event", name, details });
  }

  // ---- whom to dial ----

  #dial(nowMs: number): void {
    const { replica, peering, generation } = this.#active;
    const linked = new Set<string>();
    const peers = new Set<ReplicaId>();
    for (const session of peering.sessions) {
      if (session.mode !== "streaming") continue;
      linked.add(session.peerAddress).add(session.info.address);
      if (session.info.dialled) this.#dialer.succeeded(session.info.address);
      if (session.peer !== undefined) peers.add(session.peer);
    }
    const wanted = new Set(this.#config.peers);
    for (const [id, member] of replica.members.entries()) {
      if (!member.removed && id !== replica.id && !peers.has(id) && member.address !== "")
        wanted.add(member.address);
    }
    for (const address of wanted) if (linked.has(address) || peering.reaches(address)) wanted.delete(address);
    for (const address of this.#selfAddresses) wanted.delete(address);
    wanted.delete(this.#config.address);
    const invited = new Set(this.#config.peers);
    for (const address of this.#dialer.due(wanted, nowMs)) {
      this.#actions.push({ kind: "dial", address, invited: invited.has(address), generation });
    }
  }

  // ---- rejoining ----

  #beginRejoin(slot: Slot, address: string, code: ErrorCode, message: string, nowMs: number): void {
    if (slot !== this.#active || this.#succession !== undefined || this.#frozen) return;
    if (address === "")
      return this.#event("rejoin-impossible", { code, message: "the peer told no address" });
    const generation = this.#nextGeneration;
    this.#nextGeneration += 1;
    const id = this.#randomId() as ReplicaId;
    const { name } = this.#active.replica.identity.mesh;
    const state: ReplicaState = {
      identity: {
        replicaId: id,
        mesh: { name, createdAt: TIMESTAMP_MAX, founder: id },
        damaged: false,
        starts: [],
      },
      progress: emptyProgress(0),
      members: new MemberSet(),
    };
    const outbox = new Outbox();
    const table = this.#environment.openGeneration(generation);
    const replica = new Replica(state, table);
    replica.beginStart(this.#randomId() as StartId);
    const joiner = new Joiner(replica, outbox, this.#config.address, this.#abandoned);
    const peering = new Peering(replica, outbox, this.#config, joiner);
    this.#abandoned = id;
    this.#active.peering.rejoining = true;
    this.#succession = {
      slot: { generation, table, replica, outbox, peering },
      joiner,
      address,
      handover: undefined,
      switching: false,
      lastContactMs: nowMs,
    };
    this.#event("rejoining", {
      through: address,
      code,
      message,
      replica: this.#active.replica.id,
      successor: id,
    });
    this.#sourceDial = { busy: false, nextMs: nowMs };
    this.#dialSource(nowMs);
  }

  #sourceDial = { busy: false, nextMs: 0 };

  #dialSource(nowMs: number): void {
    const succession = this.#succession;
    if (succession === undefined || this.#sourceDial.busy) return;
    if (nowMs < this.#sourceDial.nextMs && this.#sourceDial.nextMs - nowMs < SOURCE_PAUSE_MS) return;
    this.#sourceDial.busy = true;
    this.#actions.push({
      kind: "dial",
      address: succession.address,
      invited: false,
      generation: succession.slot.generation,
    });
  }

  #successorEnded(generation: number, nowMs: number): void {
    if (this.#succession?.slot.generation !== generation) return;
    this.#sourceDial = { busy: false, nextMs: nowMs + SOURCE_PAUSE_MS };
  }

  #advance(succession: Succession, nowMs: number): void {
    const { joiner, slot } = succession;
    if (nowMs - succession.lastContactMs > this.#config.rejoinPatienceMs && !succession.switching) {
      joiner.fail("the source was not heard for too long");
    }
    if (this.#frozen && nowMs - this.#frozenAtMs > FREEZE_MS_MAX && !succession.switching) {
      joiner.fail("the handover took too long");
    }
    if (joiner.phase === "failed") return this.#giveUp(succession, nowMs);
    if (joiner.phase === "offering" && succession.handover === undefined) {
      const { id, members } = this.#active.replica;
      slot.replica.setMembers(slot.replica.members.withAncestry(id, members, joiner.source));
      succession.handover = new Handover({
        old: this.#active.replica,
        oldOutbox: this.#active.outbox,
        joiner,
        successor: slot.replica,
        successorOutbox: slot.outbox,
        meshVector: () =>
          (joiner.source && slot.peering.knowledge.get(joiner.source)?.vector) ?? new VersionVector(),
        meshMembers: () => slot.replica.members,
        freeze: () => this.#freeze(),
      });
      succession.handover.start();
    }
    const isAtRest = !slot.replica.isCommitting && !slot.replica.hasChanges;
    if (joiner.phase === "done" && !succession.switching && isAtRest) {
      succession.switching = true;
      this.#actions.push({ kind: "switch", generation: slot.generation });
    }
  }

  #freeze(): void {
    this.#frozen = true;
    this.#frozenAtMs = this.#nowMs;
    this.#active.peering.closeAll("UNAVAILABLE", "this replica is being replaced");
    // The note of this rejoin tells more of the log than that of an earlier one, which was not carried through.
    this.#active.replica.tick(this.#nowMs);
  }

  #giveUp(succession: Succession, nowMs: number): void {
    succession.handover?.stop();
    this.#succession = undefined;
    this.#frozen = false;
    this.#active.peering.rejoining = false;
    for (const [link, { slot }] of this.#links) {
      if (slot !== succession.slot) continue;
      this.#links.delete(link);
      this.#actions.push({ kind: "close", link, code: undefined, message: "given up" });
    }
    this.#actions.push({ kind: "discard", generation: succession.slot.generation });
    this.#event("rejoin-failed", { through: succession.address, message: succession.joiner.failure });
    this.#collect(this.#active, nowMs);
  }
}

/** Writes are held at most this long while a successor takes over. */
const FREEZE_MS_MAX = 5000;
/** Pause before the source is dialled again. */
const SOURCE_PAUSE_MS = 500;
