/** Walks all courses of events of a small world, breadth first, on the production core; equal states are met once. */
import { EPOCH_MS } from "@meshkv/core";
import { Hash } from "./hash.ts";
import { Histories } from "./history.ts";
import { Broken, judgeAcknowledged, judgeDigest, judgeMachine, judgePair } from "./judge.ts";
import { addressOf } from "./live-machine.ts";
import { MachineStore } from "./machine-store.ts";
import type { SmallWorld } from "./small-world.ts";
import { StateSet } from "./state-set.ts";
import { Transitions, type WorldEvent } from "./transitions.ts";
import { hashState, type WorldState } from "./world-state.ts";

/** What an exploration found. */
export interface Exploration {
  readonly world: string;
  /** Distinct states. */
  readonly states: number;
  /** Events on the longest way that was walked. */
  readonly depth: number;
  /** Steps from state to state, to known ones too. */
  readonly steps: number;
  /** Distinct states of single machines. */
  readonly machines: number;
  /** Every course of events was walked to its end. */
  readonly isWhole: boolean;
  readonly violation: string | undefined;
  /** The shortest way to the violation. */
  readonly path: readonly string[];
}

/** The way to a state; kept when the state itself is long forgotten. */
interface Way {
  readonly before: Way | undefined;
  readonly event: WorldEvent;
}

interface Node {
  readonly state: WorldState;
  readonly way: Way | undefined;
}

class Explorer {
  readonly #world: SmallWorld;
  readonly store = new MachineStore();
  readonly #histories = new Histories();
  readonly #transitions: Transitions;
  /** What was judged, and need not be judged again. */
  readonly #judged = new StateSet();
  readonly #hash = new Hash();

  constructor(world: SmallWorld) {
    this.#world = world;
    this.#transitions = new Transitions(world, this.store, this.#histories);
  }

  /** A mesh at rest, linked, without a record; nothing of how it came about counts. */
  root(): WorldState {
    const { members, machines, isLazy } = this.#world;
    const bases = Array.from({ length: members }, (_, index) => ({
      index,
      process: 0,
      image: { current: 0, generations: new Map() },
      clockMs: EPOCH_MS + 86_400_000 + index,
      isLazy: false,
      peers: index === 0 ? [] : [addressOf(0)],
    }));
    let state = this.#blank(bases.map((base) => this.store.begin(base).after));
    for (let index = 1; index < members; index += 1)
      state = this.#transitions.connect(state, index, 0, false);
    for (let round = 0; round < 20 && !this.#isMesh(state); round += 1) state = this.#calm(state);
    if (!this.#isMesh(state)) throw new Error("the members never became a mesh");
    const restarted = state.machines.map((machine) => this.store.restart(machine, isLazy));
    state = this.#blank([...restarted, ...Array.from({ length: machines - members }, () => -1)]);
    for (let a = 1; a < members; a += 1)
      for (let b = 0; b < a; b += 1) state = this.#transitions.connect(state, a, b, false);
    state = this.#drain(state);
    const { ticks, cuts, connects, crashes, removals } = this.#world;
    return {
      ...this.#blank(state.machines),
      links: state.links,
      nextLink: state.nextLink,
      budgets: { ticks: state.machines.map(() => ticks), cuts, connects, crashes, removals, writes: 0 },
    };
  }

  #blank(machines: readonly number[]): WorldState {
    const zeros = machines.map(() => 0);
    return {
      machines,
      links: [],
      nextLink: 1,
      dials: machines.map(() => -1),
      budgets: { ticks: zeros, cuts: 0, connects: 0, crashes: 0, removals: 0, writes: 0 },
      history: this.#histories.empty,
      accepted: zeros,
      durable: zeros,
      building: zeros,
      everDurable: 0,
      acknowledged: 0,
    };
  }

  #isMesh({ machines }: WorldState): boolean {
    return machines.every((machine) => this.store.view(machine).members.length === machines.length);
  }

  /** Everything under way arrives, everybody's clock ticks, and everything arrives again. */
  #calm(state: WorldState): WorldState {
    let next = this.#drain(state);
    for (const [machine, number] of next.machines.entries())
      if (number >= 0) next = this.#transitions.step(next, machine, { kind: "tick" });
    return this.#drain(next);
  }

  #drain(state: WorldState): WorldState {
    let next = state;
    for (;;) {
      const event = this.#transitions
        .possible(next)
        .find(({ kind }) => kind === "deliver" || kind === "sync" || kind === "connect");
      if (event === undefined) return next;
      next = this.#transitions.after(next, event);
    }
  }

  possible(state: WorldState): WorldEvent[] {
    return this.#transitions.possible(state);
  }

  /** The state after the event, judged. */
  after(state: WorldState, event: WorldEvent): WorldState {
    const next = this.#transitions.after(state, event);
    this.#judge(next);
    return next;
  }

  /** The set holds what was found sound only: a broken promise ends the walk. */
  #judge(state: WorldState): void {
    const { history, machines, durable, everDurable, acknowledged } = state;
    const { store } = this;
    const [hash, judged] = [this.#hash, this.#judged];
    for (const [index, machine] of machines.entries()) {
      if (machine < 0) continue;
      const mask = durable[index] ?? 0;
      if (judged.add(hash.reset().number(1).number(machine))) judgeDigest(store.view(machine));
      hash.reset().number(2).number(machine).number(history.id).number(mask).number(everDurable);
      if (judged.add(hash)) judgeMachine(store.view(machine), history, mask, everDurable);
      for (const other of machines) {
        if (other <= machine) continue;
        if (judged.add(hash.reset().number(3).number(machine).number(other)))
          judgePair(store.view(machine), store.view(other));
      }
    }
    hash.reset().number(4).number(history.id).number(acknowledged).numbers(durable);
    if (judged.add(hash)) judgeAcknowledged(history, acknowledged, durable);
  }
}

/** Walks the world until all is known, or so many states are. */
export function explore(world: SmallWorld, statesMax: number): Exploration {
  const explorer = new Explorer(world);
  const known = new StateSet();
  const hash = new Hash();
  let level: Node[] = [{ state: explorer.root(), way: undefined }];
  let [depth, steps] = [0, 0];
  const result = (isWhole: boolean, violation?: string, path: readonly string[] = []): Exploration => {
    const { size } = explorer.store;
    return { world: world.name, states: known.size, depth, steps, machines: size, isWhole, violation, path };
  };
  for (const { state } of level) known.add(hashState(hash, state));
  while (level.length > 0) {
    const next: Node[] = [];
    depth += 1;
    for (const node of level) {
      for (const event of explorer.possible(node.state)) {
        steps += 1;
        const way = { before: node.way, event };
        try {
          const state = explorer.after(node.state, event);
          if (known.add(hashState(hash, state))) next.push({ state, way });
        } catch (error) {
          if (!(error instanceof Broken)) throw error;
          return result(false, error.message, pathOf(way));
        }
        if (known.size >= statesMax) return result(false);
      }
    }
    level = next;
  }
  return result(true);
}

function pathOf(last: Way): string[] {
  const path: string[] = [];
  for (let way: Way | undefined = last; way !== undefined; way = way.before)
    path.push(JSON.stringify(way.event));
  return path.reverse();
}
