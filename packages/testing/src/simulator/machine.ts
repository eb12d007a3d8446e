/** A machine: an address, a directory, a wall clock, and at most one process. */
import type { HostConfig } from "@meshkv/core";
import type { SimulatedDisk } from "./disk.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Shell } from "./shell.ts";

/** The wall clocks of all worlds begin here: 2026-01-01T00:00Z in Unix milliseconds. */
export const WORLD_START_MS = 1_767_225_600_000;

export class Machine {
  readonly index: number;
  readonly address: string;
  readonly disk: SimulatedDisk;
  readonly config: HostConfig;
  readonly #scheduler: Scheduler;
  /** How far the wall clock is off, in milliseconds; and how much faster than time it runs. */
  offsetMs = 0;
  drift = 0;
  shell: Shell | undefined;
  /** Never comes back; its process may live on where nobody reaches it. */
  isGone = false;
  /** Its disk has no room until then, in microseconds of the world. */
  fullUntilUs = 0;

  constructor(index: number, address: string, disk: SimulatedDisk, config: HostConfig, scheduler: Scheduler) {
    this.index = index;
    this.address = address;
    this.disk = disk;
    this.config = config;
    this.#scheduler = scheduler;
  }

  /** The machine's wall clock, in Unix milliseconds. */
  wallMs(): number {
    const passedMs = this.#scheduler.nowUs / 1000;
    return Math.floor(WORLD_START_MS + this.offsetMs + passedMs * (1 + this.drift));
  }
}
