/**
 * Machines as values: each state of a machine has a number, and what an event does to it is worked out once. A machine
 * is brought to life by running the production host through the events since its process began.
 */
import { fingerprint } from "./fingerprint.ts";
import {
  type Base,
  LiveMachine,
  type MachineEvent,
  type MachineView,
  type StepOutcome,
} from "./live-machine.ts";

/** What an event made of a machine. */
export interface Step extends StepOutcome {
  readonly after: number;
  /** Why the machine died of it; undefined when it did not. */
  readonly failure: string | undefined;
}

interface Known {
  readonly base: Base;
  /** The state before the last event; undefined at the begin of a process. */
  readonly before: number | undefined;
  readonly event: MachineEvent | undefined;
  readonly view: MachineView;
  /** What events were found to make of it, by name. */
  readonly steps: Map<string | number, Step>;
}

export class MachineStore {
  readonly #states: Known[] = [];
  readonly #byFingerprint = new Map<string, number>();
  /** Some machines stay alive in the state that their last step led to: the next step may begin there. */
  readonly #alive = new Map<number, LiveMachine>();

  /** Different states of machines that were met. */
  get size(): number {
    return this.#states.length;
  }

  view(machine: number): MachineView {
    return this.#known(machine).view;
  }

  #known(machine: number): Known {
    const known = this.#states[machine];
    if (known === undefined) throw new RangeError(`no machine ${machine}`);
    return known;
  }

  /** A new process on a directory. */
  begin(base: Base): Step {
    const live = new LiveMachine(base);
    const outcome = live.handle(undefined);
    return { ...outcome, after: this.#intern(live, base, undefined, undefined), failure: undefined };
  }

  #intern(
    live: LiveMachine,
    base: Base,
    before: number | undefined,
    event: MachineEvent | undefined,
  ): number {
    const { hex, isOpen } = fingerprint(live);
    // What waits in closures is not hashed: then the way here is.
    const name = isOpen ? `${before ?? hex} ${event === undefined ? "" : nameOfEvent(event)}` : hex;
    const known = this.#byFingerprint.get(name);
    if (known !== undefined) return known;
    const machine = this.#states.length;
    this.#byFingerprint.set(name, machine);
    this.#states.push({ base, before, event, view: live.view(), steps: new Map() });
    return machine;
  }

  #revive(machine: number): LiveMachine {
    const kept = this.#alive.get(machine);
    if (kept !== undefined) {
      this.#alive.delete(machine);
      return kept;
    }
    const events: MachineEvent[] = [];
    let state = this.#known(machine);
    const { base } = state;
    while (state.before !== undefined) {
      if (state.event !== undefined) events.push(state.event);
      state = this.#known(state.before);
    }
    const live = new LiveMachine(base);
    live.handle(undefined);
    for (const event of events.reverse()) live.handle(event);
    return live;
  }

  /** The machine after an orderly restart, as the begin of a world. */
  restart(machine: number, isLazy: boolean): number {
    const live = this.#revive(machine);
    const base = live.baseAfterCrash(true);
    return this.begin({ ...base, isLazy }).after;
  }

  /** What the event does to the machine. */
  step(machine: number, event: MachineEvent): Step {
    const name = nameOfEvent(event);
    const { steps } = this.#known(machine);
    const known = steps.get(name);
    if (known !== undefined) return known;
    const live = this.#revive(machine);
    let step: Step;
    try {
      const outcome = live.handle(event);
      const after = this.#intern(live, this.#known(machine).base, machine, event);
      step = { ...outcome, after, failure: undefined };
      if (this.#alive.size > ALIVE_MAX) this.#alive.clear();
      this.#alive.set(after, live);
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      step = { ...EMPTY, after: machine, failure };
    }
    steps.set(name, step);
    return step;
  }

  /** The process dies and another begins on the directory. */
  crash(machine: number, keepsPending: boolean): Step {
    const name = keepsPending ? "crash" : "power";
    const { steps } = this.#known(machine);
    const known = steps.get(name);
    if (known !== undefined) return known;
    const live = this.#revive(machine);
    const pending = keepsPending ? live.pendingRecords : [];
    const step = this.begin(live.baseAfterCrash(keepsPending));
    const whole = { ...step, durable: [...pending, ...step.durable] };
    steps.set(name, whole);
    return whole;
  }
}

/** Messages are most of all events: their names are numbers. */
function nameOfEvent(event: MachineEvent): string | number {
  switch (event.kind) {
    case "message":
      return event.link * MESSAGES_MAX + event.message;
    case "tick":
    case "sync":
      return event.kind;
    default:
      return JSON.stringify(event);
  }
}

const MESSAGES_MAX = 0x1_0000_0000;

const ALIVE_MAX = 5000;

const EMPTY: StepOutcome = {
  sends: [],
  closes: [],
  dials: [],
  accepted: [],
  durable: [],
  written: [],
  hasSwitched: false,
};
