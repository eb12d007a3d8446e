/** What can happen next in a small world, and what comes of it. */
import type { LinkId, ReplicaId, WriteRecord } from "@meshkv/core";
import { type Histories, indexOf, inMask, originalOf } from "./history.ts";
import { addressOf, type MachineEvent } from "./live-machine.ts";
import type { MachineStore, Step } from "./machine-store.ts";
import { Broken, judgeStep } from "./judge.ts";
import type { SmallWorld } from "./small-world.ts";
import { type Budgets, END, withItem, type WorldLink, type WorldState } from "./world-state.ts";

/** One thing that can happen. */
export type WorldEvent =
  | { readonly kind: "write"; readonly machine: number; readonly write: number }
  | { readonly kind: "tick" | "sync" | "start"; readonly machine: number }
  | { readonly kind: "crash"; readonly machine: number; readonly keepsPending: boolean }
  | { readonly kind: "remove"; readonly machine: number; readonly member: ReplicaId }
  | { readonly kind: "deliver"; readonly link: LinkId; readonly to: 0 | 1 }
  | { readonly kind: "cut"; readonly link: LinkId }
  | { readonly kind: "connect"; readonly from: number; readonly to: number; readonly forSuccessor: boolean };

export class Transitions {
  readonly #world: SmallWorld;
  readonly #store: MachineStore;
  readonly #histories: Histories;

  constructor(world: SmallWorld, store: MachineStore, histories: Histories) {
    this.#world = world;
    this.#store = store;
    this.#histories = histories;
  }

  /** Everything that can happen in the state, in a fixed order. */
  possible(state: WorldState): WorldEvent[] {
    const events: WorldEvent[] = [];
    for (const { id, isUp, queues } of state.links) {
      for (const to of [0, 1] as const)
        if (isUp[to] && queues[to].length > 0) events.push({ kind: "deliver", link: id, to });
      if (state.budgets.cuts > 0) events.push({ kind: "cut", link: id });
    }
    for (const [machine, number] of state.machines.entries()) {
      if (number < 0) events.push({ kind: "start", machine });
      else this.#ofMachine(state, machine, number, events);
    }
    return events;
  }

  #ofMachine(state: WorldState, machine: number, number: number, events: WorldEvent[]): void {
    const view = this.#store.view(number);
    const { budgets } = state;
    if (view.hasPending) events.push({ kind: "sync", machine });
    if (view.mayWrite && machine < this.#world.members) {
      for (const write of this.#world.writes.keys())
        if ((budgets.writes & (1 << write)) === 0) events.push({ kind: "write", machine, write });
    }
    if ((budgets.ticks[machine] ?? 0) > 0) events.push({ kind: "tick", machine });
    if (budgets.crashes > 0) {
      events.push({ kind: "crash", machine, keepsPending: true });
      if (view.hasPending) events.push({ kind: "crash", machine, keepsPending: false });
    }
    if (budgets.removals > 0) {
      for (const member of view.members)
        if (member !== view.replica) events.push({ kind: "remove", machine, member });
    }
    const dial = state.dials[machine] ?? -1;
    if (dial >= 0 && (state.machines[dial] ?? -1) >= 0)
      events.push({ kind: "connect", from: machine, to: dial, forSuccessor: true });
    if (budgets.connects === 0) return;
    for (const [to, other] of state.machines.entries()) {
      const isLinked = state.links.some(({ ends }) => ends.includes(machine) && ends.includes(to));
      if (to < machine && other >= 0 && !isLinked)
        events.push({ kind: "connect", from: machine, to, forSuccessor: false });
    }
  }

  /** The state after the event. Throws Broken when a promise is broken by it. */
  after(state: WorldState, event: WorldEvent): WorldState {
    const { budgets } = state;
    const spend = (spent: Partial<Budgets>): WorldState => ({ ...state, budgets: { ...budgets, ...spent } });
    switch (event.kind) {
      case "write": {
        const write = this.#world.writes[event.write];
        if (write === undefined) return state;
        const paid = spend({ writes: budgets.writes | (1 << event.write) });
        return this.step(paid, event.machine, { kind: "write", write });
      }
      case "tick": {
        const left = (budgets.ticks[event.machine] ?? 0) - 1;
        return this.step(spend({ ticks: withItem(budgets.ticks, event.machine, left) }), event.machine, {
          kind: "tick",
        });
      }
      case "sync":
        return this.step(state, event.machine, { kind: "sync" });
      case "start":
        return this.#start(state, event.machine);
      case "crash":
        return this.#crash(spend({ crashes: budgets.crashes - 1 }), event.machine, event.keepsPending);
      case "remove":
        return this.step(spend({ removals: budgets.removals - 1 }), event.machine, {
          kind: "remove",
          member: event.member,
        });
      case "deliver":
        return this.#deliver(state, event.link, event.to);
      case "cut":
        return this.#cut(spend({ cuts: budgets.cuts - 1 }), event.link);
      case "connect":
        return this.connect(
          event.forSuccessor ? state : spend({ connects: budgets.connects - 1 }),
          event.from,
          event.to,
          event.forSuccessor,
        );
    }
  }

  #start(state: WorldState, machine: number): WorldState {
    const step = this.#store.begin({
      index: machine,
      process: 0,
      image: { current: 0, generations: new Map() },
      clockMs: this.#store.view(state.machines[0] ?? 0).clockMs,
      isLazy: this.#world.isLazy,
      peers: [addressOf(0)],
    });
    return this.#apply(state, machine, step);
  }

  /** Puts a link between two machines. */
  connect(state: WorldState, from: number, to: number, forSuccessor: boolean): WorldState {
    const id = state.nextLink;
    const link: WorldLink = { id, ends: [from, to], isUp: [true, true], queues: [[], []] };
    const dials = forSuccessor ? withItem(state.dials, from, -1) : state.dials;
    let next: WorldState = { ...state, dials, links: [...state.links, link], nextLink: id + 1 };
    next = this.step(next, to, { kind: "open", link: id, role: "answerer", address: "" });
    const role = forSuccessor ? "successor" : "dialler";
    return this.step(next, from, { kind: "open", link: id, role, address: addressOf(to) });
  }

  #deliver(state: WorldState, id: LinkId, to: 0 | 1): WorldState {
    const link = state.links.find((known) => known.id === id);
    const [message, ...rest] = link?.queues[to] ?? [];
    if (link === undefined || message === undefined) return state;
    const machine = link.ends[to];
    const queues: WorldLink["queues"] = to === 0 ? [rest, link.queues[1]] : [link.queues[0], rest];
    if (message === END)
      return this.step(hungUp(state, { ...link, queues }, to), machine, { kind: "closed", link: id });
    return this.step(withLink(state, { ...link, queues }), machine, {
      kind: "message",
      link: id,
      message,
    });
  }

  #cut(state: WorldState, id: LinkId): WorldState {
    const link = state.links.find((known) => known.id === id);
    if (link === undefined) return state;
    let next: WorldState = { ...state, links: state.links.filter((known) => known !== link) };
    for (const side of [0, 1] as const) {
      if (link.isUp[side]) next = this.step(next, link.ends[side], { kind: "closed", link: id });
    }
    return next;
  }

  #crash(state: WorldState, machine: number, keepsPending: boolean): WorldState {
    const before = state.machines[machine] ?? 0;
    const step = this.#store.crash(before, keepsPending);
    let next = state;
    for (const link of state.links) {
      for (const side of [0, 1] as const)
        if (link.ends[side] === machine && link.isUp[side]) next = hungUp(next, link, side);
    }
    next = {
      ...next,
      dials: withItem(next.dials, machine, -1),
      building: withItem(next.building, machine, 0),
    };
    // What had not been handed to the disk is lost either way, and nobody was told of it.
    next = { ...next, accepted: withItem(next.accepted, machine, next.durable[machine] ?? 0) };
    return this.#apply(next, machine, step);
  }

  /** Lets an event happen to a machine. */
  step(state: WorldState, machine: number, event: MachineEvent): WorldState {
    const before = state.machines[machine] ?? 0;
    const step = this.#store.step(before, event);
    if (step.failure !== undefined) throw new Broken(`invariant of ${addressOf(machine)}: ${step.failure}`);
    return this.#apply(state, machine, step);
  }

  #apply(state: WorldState, machine: number, step: Step): WorldState {
    const before = state.machines[machine] ?? -1;
    let next: WorldState = { ...state, machines: withItem(state.machines, machine, step.after) };
    next = this.#accept(next, machine, step, before);
    for (const { link, message } of step.sends) next = sent(next, machine, link, message);
    for (const id of step.closes) {
      const link = next.links.find((known) => known.id === id);
      const side = link?.ends[0] === machine ? 0 : 1;
      if (link?.isUp[side] === true) next = hungUp(next, link, side);
    }
    for (const address of step.dials)
      next = { ...next, dials: withItem(next.dials, machine, Number(address.slice(1))) };
    if (before >= 0) judgeStep(this.#store.view(before), this.#store.view(step.after));
    return next;
  }

  #accept(state: WorldState, machine: number, step: Step, before: number): WorldState {
    const view = this.#store.view(step.after);
    const wasBuilding = before >= 0 && this.#store.view(before).source !== undefined;
    let next = state;
    for (const record of [...step.written, ...step.accepted, ...step.durable])
      next = this.#issued(next, machine, record, step.written.includes(record));
    const [accepted, durable] = [step.accepted, step.durable].map((records) => maskOf(next, records));
    const both = (accepted ?? 0) | (durable ?? 0);
    if (step.hasSwitched) return this.#switched(next, machine, before, both);
    // What a successor takes in is not what its predecessor serves.
    if (wasBuilding || view.source !== undefined) {
      const building = (next.building[machine] ?? 0) | both;
      next = { ...next, building: withItem(next.building, machine, building) };
    }
    const own = { accepted: next.accepted[machine] ?? 0, durable: next.durable[machine] ?? 0 };
    const isShared = wasBuilding || view.source !== undefined;
    const mine = isShared
      ? maskOf(next, [...view.entries.values()].flatMap(recordsOf)) | own.durable
      : own.durable | (durable ?? 0);
    next = {
      ...next,
      accepted: withItem(next.accepted, machine, own.accepted | (isShared ? mine : both)),
      durable: withItem(next.durable, machine, mine),
      everDurable: next.everDurable | (durable ?? 0),
    };
    const told = inMask(next.history, next.durable[machine] ?? 0).filter(
      ({ record }) => record.origin === view.replica && record.adopted === undefined,
    );
    return {
      ...next,
      acknowledged:
        next.acknowledged |
        maskOf(
          next,
          told.map(({ record }) => record),
        ),
    };
  }

  #switched(state: WorldState, machine: number, before: number, taken: number): WorldState {
    const view = this.#store.view(state.machines[machine] ?? 0);
    const source = before < 0 ? undefined : this.#store.view(before).source;
    const theirs = source === undefined ? 0 : (state.durable[Number(source.slice(1))] ?? 0);
    const inherited = inMask(state.history, theirs).filter(
      ({ record }) => record.timestamp <= (view.floors.get(record.origin) ?? 0),
    );
    const mask =
      (state.building[machine] ?? 0) |
      taken |
      maskOf(
        state,
        inherited.map(({ record }) => record),
      );
    return {
      ...state,
      accepted: withItem(state.accepted, machine, mask),
      durable: withItem(state.durable, machine, mask),
      building: withItem(state.building, machine, 0),
      everDurable: state.everDurable | mask,
    };
  }

  /** Notes a record that is made here and now. */
  #issued(state: WorldState, machine: number, record: WriteRecord, isWrite: boolean): WorldState {
    const { history } = state;
    if (indexOf(history, record) >= 0) return state;
    const original = history.records[originalOf(history, record)];
    if (original !== undefined) {
      const { number, seen } = original;
      return { ...state, history: this.#histories.with(history, { record, number, seen }) };
    }
    if (!isWrite) throw new Broken(`always-honest: nobody wrote ${record.timestamp}@${record.origin}`);
    const held = inMask(history, state.accepted[machine] ?? 0).filter((h) => h.record.key === record.key);
    for (const { record: other } of held) {
      if (other.timestamp >= record.timestamp)
        throw new Broken(`always-newer: ${record.timestamp} after ${other.timestamp}`);
    }
    const seen = held.reduce((mask, issued) => mask | (1 << issued.number) | issued.seen, 0);
    const number = new Set(history.records.map((issued) => issued.number)).size;
    return { ...state, history: this.#histories.with(history, { record, number, seen }) };
  }
}

function recordsOf({
  winner,
  siblings,
}: {
  winner: WriteRecord;
  siblings: readonly WriteRecord[];
}): WriteRecord[] {
  return [winner, ...siblings];
}

function maskOf({ history }: WorldState, records: readonly WriteRecord[]): number {
  let mask = 0;
  for (const record of records) {
    const index = indexOf(history, record);
    if (index >= 0) mask |= 1 << index;
  }
  return mask;
}

function withLink(state: WorldState, link: WorldLink): WorldState {
  return { ...state, links: state.links.map((known) => (known.id === link.id ? link : known)) };
}

/** One side has gone: what it sent still arrives, what is under way to it is lost. */
function hungUp(state: WorldState, link: WorldLink, side: 0 | 1): WorldState {
  const known = state.links.find(({ id }) => id === link.id);
  if (known === undefined) return state;
  const other = side === 0 ? 1 : 0;
  if (!known.isUp[other]) return { ...state, links: state.links.filter(({ id }) => id !== link.id) };
  const towards = [...known.queues[other], END];
  return withLink(state, {
    ...known,
    isUp: side === 0 ? [false, true] : [true, false],
    queues: side === 0 ? [[], towards] : [towards, []],
  });
}

function sent(state: WorldState, from: number, id: LinkId, message: number): WorldState {
  const link = state.links.find((known) => known.id === id);
  if (link === undefined) return state;
  const side = link.ends[0] === from ? 1 : 0;
  if (!link.isUp[side]) return state;
  const queue = [...link.queues[side], message];
  return withLink(state, { ...link, queues: side === 0 ? [queue, link.queues[1]] : [link.queues[0], queue] });
}
