/**
 * Ordered streams of messages between processes, over a network that delays, stalls, parts and cuts. A sender's buffer
 * outlives the sender.
 */
import { decodeMessage, encodeMessage, FormatError, type LinkId, type PeerMessage } from "@meshkv/core";
import type { Machine } from "./machine.ts";
import type { WorldParameters } from "./parameters.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Shell } from "./shell.ts";
import type { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";

/** One process's end of a link. */
export interface LinkEnd {
  readonly shell: Shell;
  readonly link: LinkId;
  readonly outgoing: Direction;
  state: "opening" | "open" | "closed";
  /** Frames sent since the process was told that nothing more is taken; undefined while everything is. */
  framesWhileHeld: number | undefined;
}

/** What flows one way. */
interface Direction {
  readonly queue: { readonly bytes: Uint8Array | "end"; readonly readyUs: number }[];
  from: LinkEnd;
  to: LinkEnd;
  isScheduled: boolean;
  stalledUntilUs: number;
  queuedBytes: number;
  isBlocked: boolean;
}

export class Network {
  readonly #parameters: WorldParameters;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #trace: Trace;
  readonly #machines: readonly Machine[];
  readonly #directions = new Set<Direction>();
  /** `from>to` pairs of addresses between which nothing passes for now. */
  readonly #parted = new Set<string>();
  /** Pairs that never had a way. */
  readonly #missing = new Set<string>();
  #isCalm = false;
  readonly #tears: Random;

  constructor(
    parameters: WorldParameters,
    random: Random,
    scheduler: Scheduler,
    trace: Trace,
    machines: readonly Machine[],
    tears: Random,
  ) {
    this.#tears = tears;
    this.#parameters = parameters;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#trace = trace;
    this.#machines = machines;
  }

  /** Links that are up, one per direction. */
  get directions(): readonly Direction[] {
    return [...this.#directions];
  }

  /** Takes the way between two machines out of the world for good. */
  omit(a: string, b: string): void {
    this.#missing.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  /** A machine is gone: those that had a way to it get one to each other, so that what is left hangs together. */
  bypass(gone: Machine): void {
    const beside = this.#machines.filter(
      (machine) => machine !== gone && !this.#missing.has(`${gone.address}>${machine.address}`),
    );
    for (const a of beside) for (const b of beside) this.#missing.delete(`${a.address}>${b.address}`);
  }

  /** Takes the way between two machines away for good, and breaks what links there are. */
  sever(a: Machine, b: Machine): void {
    this.omit(a.address, b.address);
    for (const direction of this.#directions) {
      const ends = [direction.from.shell.machine, direction.to.shell.machine];
      if (ends.includes(a) && ends.includes(b)) this.cut(direction, false);
    }
  }

  /** Nothing reaches a machine for a while: it takes nothing off its links. */
  hold(machine: Machine, forUs: number): void {
    for (const direction of this.#directions)
      if (direction.to.shell.machine === machine) this.stall(direction, forUs);
  }

  /** Stops everything from one machine to another until {@link heal}. */
  part(from: string, to: string): void {
    this.#parted.add(`${from}>${to}`);
    for (const direction of this.#directions) {
      if (direction.from.shell.machine.address !== from || direction.to.shell.machine.address !== to)
        continue;
      const patienceUs = this.#random.between(2_000_000, 20_000_000);
      this.#scheduler.after(patienceUs, () => {
        if (this.#isParted(direction)) this.cut(direction, this.#random.chance(0.3));
      });
    }
  }

  heal(): void {
    this.#parted.clear();
    for (const direction of this.#directions) this.#schedule(direction);
  }

  /** From now on everything is fast and nothing stalls. */
  calm(): void {
    this.#isCalm = true;
    this.heal();
    for (const direction of this.#directions) {
      direction.stalledUntilUs = 0;
      this.#schedule(direction);
    }
  }

  #delayUs(): number {
    if (this.#isCalm) return this.#random.between(200, 800);
    const { delayUsMin, delayUsMax, stallChance } = this.#parameters;
    const delayUs = this.#random.logarithmic(delayUsMin, delayUsMax);
    return this.#random.chance(stallChance) ? delayUs * this.#random.logarithmic(10, 1000) : delayUs;
  }

  #hasWay(from: string, to: string): boolean {
    const way = `${from}>${to}`;
    return !this.#parted.has(way) && !this.#missing.has(way);
  }

  #isParted({ from, to }: Direction): boolean {
    return this.#parted.has(`${from.shell.machine.address}>${to.shell.machine.address}`);
  }

  dial(shell: Shell, address: string, invited: boolean, generation: number): void {
    this.#scheduler.after(this.#delayUs(), () => {
      if (!shell.isRunning) return;
      const target = this.#machines.find((machine) => machine.address === address)?.shell;
      const mine = shell.machine.address;
      if (target === undefined || !this.#hasWay(mine, address) || !this.#hasWay(address, mine)) {
        this.#scheduler.after(this.#delayUs(), () => shell.dialFailed(address, generation));
        return;
      }
      this.#connect(shell, target, address, invited, generation);
    });
  }

  #connect(dialler: Shell, target: Shell, address: string, invited: boolean, generation: number): void {
    const there = makeDirection();
    const back = makeDirection();
    const near: LinkEnd = {
      shell: dialler,
      link: dialler.newLink(),
      outgoing: there,
      state: "opening",
      framesWhileHeld: undefined,
    };
    const far: LinkEnd = {
      shell: target,
      link: target.newLink(),
      outgoing: back,
      state: "opening",
      framesWhileHeld: undefined,
    };
    [there.from, there.to, back.from, back.to] = [near, far, far, near];
    this.#directions.add(there).add(back);
    const open = (end: LinkEnd, dialled: boolean): void => {
      if (end.state !== "opening") {
        // Cut before it was up: whoever dialled it is told.
        if (dialled) end.shell.dialFailed(address, generation);
        return;
      }
      end.state = "open";
      const info = { link: end.link, dialled, invited: dialled && invited, address: dialled ? address : "" };
      end.shell.linkOpened(end, info, dialled ? generation : undefined);
      this.#schedule(there);
      this.#schedule(back);
    };
    this.#scheduler.after(this.#delayUs(), () => open(far, false));
    this.#scheduler.after(this.#delayUs(), () => open(near, true));
  }

  send(end: LinkEnd, message: PeerMessage): void {
    if (end.state !== "open") return;
    const bytes = encodeMessage(message);
    this.#trace.bytes(bytes);
    this.#enqueue(end.outgoing, bytes);
    const { outgoing } = end;
    if (!outgoing.isBlocked && outgoing.queuedBytes > this.#parameters.windowBytes) {
      outgoing.isBlocked = true;
      end.shell.blocked(end, true);
    }
  }

  #enqueue(direction: Direction, bytes: Uint8Array | "end"): void {
    const last = direction.queue.at(-1)?.readyUs ?? 0;
    const readyUs = Math.max(last, this.#scheduler.nowUs + this.#delayUs());
    direction.queue.push({ bytes, readyUs });
    if (bytes !== "end") direction.queuedBytes += bytes.length;
    this.#schedule(direction);
  }

  #schedule(direction: Direction): void {
    const head = direction.queue[0];
    if (head === undefined || direction.isScheduled || direction.to.state === "opening") return;
    if (this.#isParted(direction)) return;
    direction.isScheduled = true;
    const atUs = Math.max(head.readyUs, direction.stalledUntilUs);
    this.#scheduler.after(atUs - this.#scheduler.nowUs, () => {
      direction.isScheduled = false;
      if (this.#isParted(direction)) return;
      if (direction.stalledUntilUs > this.#scheduler.nowUs) return this.#schedule(direction);
      this.#deliver(direction);
      this.#schedule(direction);
    });
  }

  #deliver(direction: Direction): void {
    const head = direction.queue.shift();
    const { to, from } = direction;
    if (head === undefined) return;
    if (head.bytes === "end") {
      this.#close(to);
      this.#directions.delete(direction);
      return;
    }
    direction.queuedBytes -= head.bytes.length;
    if (to.state === "open") to.shell.received(to, decodeMessage(head.bytes));
    if (direction.isBlocked && direction.queuedBytes <= this.#parameters.windowBytes / 2) {
      direction.isBlocked = false;
      if (from.state === "open") from.shell.blocked(from, false);
    }
  }

  #close(end: LinkEnd): void {
    if (end.state === "closed") return;
    const wasOpen = end.state === "open";
    end.state = "closed";
    if (wasOpen) end.shell.linkClosed(end);
  }

  /** One side ends the link in order: what it sent still arrives. */
  hangUp(end: LinkEnd): void {
    if (end.state === "closed") return;
    end.state = "closed";
    this.#enqueue(end.outgoing, "end");
  }

  /** The process is gone; its buffers may still reach the peers, who notice soon, or late after a power failure. */
  processDied(shell: Shell, isSilent: boolean): void {
    for (const direction of this.#directions) {
      if (direction.from.shell === shell && direction.from.state !== "closed") {
        direction.from.state = "closed";
        this.#breakOff(direction, isSilent);
      }
    }
  }

  /** Breaks a link; with `isHalf` one side takes long to notice. */
  cut(direction: Direction, isHalf: boolean): void {
    const back = direction.to.outgoing;
    this.#breakOff(direction, isHalf);
    this.#breakOff(back, false);
  }

  #breakOff(direction: Direction, isSilent: boolean): void {
    const kept = this.#random.below(direction.queue.length + 1);
    const [torn] = direction.queue.splice(kept);
    if (torn !== undefined && torn.bytes !== "end") this.#tear(torn.bytes);
    direction.queuedBytes = direction.queue.reduce(
      (sum, { bytes }) => sum + (bytes === "end" ? 0 : bytes.length),
      0,
    );
    const delayUs = isSilent ? this.#random.between(1_000_000, 15_000_000) : this.#delayUs();
    this.#scheduler.after(delayUs, () => {
      direction.queue.length = 0;
      this.#directions.delete(direction);
      this.#close(direction.to);
    });
  }

  /** A link breaks in the middle of a message: what has come of it must not be taken for one. */
  #tear(bytes: Uint8Array): void {
    const length = this.#tears.below(bytes.length);
    try {
      decodeMessage(bytes.subarray(0, length));
    } catch (error) {
      if (error instanceof FormatError) return;
      throw error;
    }
    throw new Violation(
      "always-whole-messages",
      `${length} of ${bytes.length} bytes were taken for a message`,
    );
  }

  /** Holds one direction for a while. */
  stall(direction: Direction, forUs: number): void {
    direction.stalledUntilUs = this.#scheduler.nowUs + forUs;
  }
}

function makeDirection(): Direction {
  // The ends are put in by the caller at once: each end needs its direction first.
  const nobody = undefined as unknown as LinkEnd;
  return {
    queue: [],
    from: nobody,
    to: nobody,
    isScheduled: false,
    stalledUntilUs: 0,
    queuedBytes: 0,
    isBlocked: false,
  };
}
