/** Clients: puts, deletes, deadlines and batches on whichever replica takes them. */
import type { KeyText, Write, WriteRecord } from "@meshkv/core";
import type { Machine } from "./machine.ts";
import type { WorldParameters } from "./parameters.ts";
import type { Random } from "./random.ts";
import type { Shell } from "./shell.ts";

const TEXT = new TextEncoder();

export class Workload {
  readonly #parameters: WorldParameters;
  readonly #random: Random;
  #writes = 0;

  constructor(parameters: WorldParameters, random: Random) {
    this.#parameters = parameters;
    this.#random = random;
  }

  /** Runs one client operation somewhere; false when nobody takes writes. */
  act(
    machines: readonly Machine[],
    onWritten: (records: readonly WriteRecord[], shell: Shell) => void,
  ): boolean {
    const random = this.#random;
    const shells = machines.map(({ shell }) => shell).filter((shell) => shell?.mayWrite === true);
    if (shells.length === 0) return false;
    const shell = random.pick(shells);
    if (shell === undefined) return false;
    const count = random.chance(this.#parameters.batchChance) ? random.between(2, 5) : 1;
    const writes = new Map<KeyText, Write>();
    for (let index = 0; index < count; index += 1) {
      const key = `k${random.below(this.#parameters.keys)}` as KeyText;
      writes.set(key, this.#write(key, shell.machine.wallMs()));
    }
    onWritten(shell.write([...writes.values()]), shell);
    return true;
  }

  #write(key: KeyText, nowMs: number): Write {
    const random = this.#random;
    this.#writes += 1;
    if (random.chance(this.#parameters.deleteChance)) return { key, value: undefined, expiresAtMs: 0 };
    // Few distinct values in some worlds, so that losers equal to the winner occur.
    const value = TEXT.encode(`${random.chance(0.1) ? "same" : this.#writes}`);
    const expires = random.chance(this.#parameters.deadlineChance);
    return { key, value, expiresAtMs: expires ? nowMs + random.logarithmic(100, 5000) : 0 };
  }
}
