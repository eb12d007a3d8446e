/**
 * Hosts wired together in memory: every message takes the way through its bytes, in order, and everything that a host
 * asks for is done at once, one after the other. No randomness and no time but what a test lets pass; for faults by
 * chance see the simulator.
 */
import {
  decodeMessage,
  encodeMessage,
  EPOCH_MS,
  type Host,
  type HostAction,
  type HostConfig,
  type LinkId,
  PEERING_DEFAULTS,
  type PeerMessage,
} from "@meshkv/core";
import { WiredHost } from "./wired-host.ts";

/** A message under way between two hosts. */
export interface WiredMessage {
  readonly from: string;
  readonly to: string;
  readonly message: PeerMessage;
}

interface End {
  readonly link: LinkId;
  readonly owner: WiredHost;
  readonly process: Host;
  other: End | undefined;
}

/** Events after which the hosts are taken to go round in circles. */
const EVENTS_MAX = 200_000;
const TICK_MS = 50;

/** A mesh in memory: hosts, links between them, and the time. */
export class WiredHosts {
  /** Unix milliseconds, the same for all hosts but for their offsets. */
  nowMs = EPOCH_MS + 86_400_000;
  /** Everything that was delivered, in order. */
  readonly delivered: WiredMessage[] = [];
  /**
   * Asked before each delivery; a message that may not be delivered is lost, and its link goes on. A test may also cut
   * links or stop hosts here, and the message is lost with them.
   */
  mayDeliver: (message: WiredMessage) => boolean = () => true;
  readonly #hosts = new Map<string, WiredHost>();
  readonly #ends = new Map<LinkId, End>();
  readonly #cut = new Set<string>();
  #events: (() => void)[] = [];
  #nextLink = 1;

  /** Starts a process, on the directory of that name if there was one before; its name is its address. */
  start(name: string, config: Partial<HostConfig> = {}): WiredHost {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new WiredHost(name, this.#hosts.size + 1, () => this.nowMs);
      this.#hosts.set(name, host);
    }
    host.start({
      ...PEERING_DEFAULTS,
      address: name,
      peers: [],
      rejoinPatienceMs: 30_000,
      claimBusyMs: 100,
      claimIdleMs: 200,
      hearsayMs: 100,
      ...config,
    });
    this.collect(host);
    this.settle();
    return host;
  }

  /** Starts hosts of one mesh, all naming the first, and lets time pass until all are members and linked. */
  mesh(...names: readonly string[]): WiredHost[] {
    const [first, ...others] = names;
    if (first === undefined) return [];
    const hosts = [this.start(first), ...others.map((name) => this.start(name, { peers: [first] }))];
    this.until("all are members", () =>
      hosts.every((h) => h.replica.members.current().length === names.length),
    );
    this.until("all are linked", () => hosts.every((h) => h.linkedPeers.length === names.length - 1));
    return hosts;
  }

  /** The process ends at once; what was not durable is lost. */
  stop(host: WiredHost): void {
    const process = host.host;
    host.stop();
    for (const end of this.#ends.values()) if (end.process === process) this.#hangUp(end);
  }

  /** Two hosts lose their links and find no new ones. */
  cut(a: WiredHost, b: WiredHost): void {
    this.#cut.add(pairName(a, b));
    this.breakLinks(a, b);
  }

  /** Two hosts may find each other again. */
  heal(a: WiredHost, b: WiredHost): void {
    this.#cut.delete(pairName(a, b));
  }

  /** All links between two hosts break now; messages under way on them are lost. */
  breakLinks(a: WiredHost, b: WiredHost): void {
    for (const end of this.#ends.values()) {
      const { other } = end;
      if (other === undefined || end.owner !== a || other.owner !== b) continue;
      this.#ends.delete(end.link);
      this.#ends.delete(other.link);
      this.#tell(end, (host, nowMs) => host.linkClosed(end.link, nowMs));
      this.#tell(other, (host, nowMs) => host.linkClosed(other.link, nowMs));
    }
  }

  /** One host opens a link to another, as if it had decided to. */
  dial(from: WiredHost, to: WiredHost, invited = false): void {
    this.#dial(from, to.name, invited, from.host.active.generation);
    this.settle();
  }

  /** The transport of all links from one host to another takes nothing more, or takes again. */
  block(from: WiredHost, to: WiredHost, blocked: boolean): void {
    for (const end of this.#ends.values()) {
      if (end.owner !== from || end.other?.owner !== to) continue;
      this.#tell(end, (host, nowMs) => host.linkBlocked(end.link, blocked, nowMs));
    }
    this.settle();
  }

  /** Lets time pass, a tick at a time. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.nowMs += TICK_MS;
      for (const host of this.#hosts.values()) {
        if (!host.isRunning) continue;
        host.host.tick(host.wallMs, host.spareBytes);
        this.collect(host);
      }
      this.settle();
    }
  }

  /** Lets time pass until the condition holds; throws when it does not within a minute. */
  until(what: string, holds: () => boolean, msMax = 60_000): void {
    this.settle();
    for (let passed = 0; !holds(); passed += TICK_MS) {
      if (passed >= msMax) throw new Error(`it did not happen: ${what}`);
      this.pass(TICK_MS);
    }
  }

  /** Lets time pass until the hosts have forgotten all records of their logs. */
  untilForgotten(...hosts: readonly WiredHost[]): void {
    this.until("logs are empty", () => hosts.every((host) => host.logLength === 0));
  }

  /** Carries out everything that follows from what has happened. */
  settle(): void {
    for (const host of this.#hosts.values()) if (host.isRunning) this.collect(host);
    for (let count = 0; this.#events.length > 0; count += 1) {
      if (count > EVENTS_MAX) throw new Error("the hosts never come to rest");
      this.#events.shift()?.();
    }
  }

  /** Takes up what a host wants done; for tests that called its methods themselves. */
  collect(host: WiredHost): void {
    for (let actions = host.host.take(); actions.length > 0; actions = host.host.take()) {
      for (const action of actions) this.#carryOut(host, action);
    }
  }

  #carryOut(host: WiredHost, action: HostAction): void {
    const process = host.host;
    switch (action.kind) {
      case "send": {
        const end = this.#ends.get(action.link);
        if (end !== undefined) this.#send(end, action.message);
        return;
      }
      case "close": {
        const end = this.#ends.get(action.link);
        if (end !== undefined) this.#hangUp(end);
        return;
      }
      case "dial":
        return this.#dial(host, action.address, action.invited, action.generation);
      case "event":
        host.events.push({ name: action.name, details: action.details });
        return;
      default:
        this.#events.push(() => {
          if (host.isRunning && host.host === process && host.carryOut(action)) this.collect(host);
        });
    }
  }

  #send(end: End, message: PeerMessage): void {
    const bytes = encodeMessage(message).slice();
    const { other } = end;
    if (other === undefined) return;
    const told = { from: end.owner.name, to: other.owner.name, message };
    this.#events.push(() => {
      if (!this.#ends.has(other.link)) return;
      if (!this.mayDeliver(told) || !this.#ends.has(other.link)) return;
      this.delivered.push(told);
      this.#tellNow(other, (host, nowMs) => host.received(other.link, decodeMessage(bytes), nowMs));
    });
  }

  /** One side goes: the other hears of it after everything that was sent before. */
  #hangUp(end: End): void {
    const { other } = end;
    this.#ends.delete(end.link);
    if (other === undefined || !this.#ends.has(other.link)) return;
    this.#events.push(() => {
      if (!this.#ends.delete(other.link)) return;
      this.#tellNow(other, (host, nowMs) => host.linkClosed(other.link, nowMs));
    });
  }

  #dial(from: WiredHost, address: string, invited: boolean, generation: number): void {
    const process = from.host;
    this.#events.push(() => {
      if (!from.isRunning || from.host !== process) return;
      const to = this.#hosts.get(address);
      if (to === undefined || !to.isRunning || this.#cut.has(pairName(from, to))) {
        from.host.dialFailed(address, generation, from.wallMs);
        return this.collect(from);
      }
      const near = this.#newEnd(from);
      const far = this.#newEnd(to);
      near.other = far;
      far.other = near;
      const info = { link: near.link, dialled: true, invited, address };
      this.#tellNow(near, (host, nowMs) => host.linkOpened(info, generation, nowMs));
      const accepted = { link: far.link, dialled: false, invited: false, address: "" };
      this.#tellNow(far, (host, nowMs) => host.linkOpened(accepted, host.active.generation, nowMs));
    });
  }

  #newEnd(owner: WiredHost): End {
    const end: End = { link: this.#nextLink, owner, process: owner.host, other: undefined };
    this.#nextLink += 1;
    this.#ends.set(end.link, end);
    return end;
  }

  #tell(end: End, run: (host: Host, nowMs: number) => void): void {
    this.#events.push(() => this.#tellNow(end, run));
  }

  #tellNow({ owner, process }: End, run: (host: Host, nowMs: number) => void): void {
    if (!owner.isRunning || owner.host !== process) return;
    run(process, owner.wallMs);
    this.collect(owner);
  }
}

function pairName(a: WiredHost, b: WiredHost): string {
  return a.name < b.name ? `${a.name} ${b.name}` : `${b.name} ${a.name}`;
}
