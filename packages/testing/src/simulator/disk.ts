/**
 * One data directory with the difference between committed and durable: what was submitted becomes durable in order,
 * and a crash keeps everything durable and a random prefix of the rest.
 */
import type { ChangeSet } from "@meshkv/core";
import type { Random } from "./random.ts";
import { SimulatedTables } from "./tables.ts";

/** What a process asked of its disk. */
export type DiskOperation =
  | { readonly kind: "commit"; readonly generation: number; readonly group: ChangeSet }
  | { readonly kind: "switch"; readonly generation: number }
  | { readonly kind: "discard"; readonly generation: number };

/** A directory at one moment. */
export interface DiskImage {
  readonly current: number;
  readonly generations: ReadonlyMap<number, SimulatedTables>;
}

export class SimulatedDisk {
  /** Told of each operation when it has become durable. */
  onDurable: (operation: DiskOperation) => void = () => undefined;
  readonly #usesBytes: boolean;
  #current = 0;
  #generations = new Map<number, SimulatedTables>();
  #pending: DiskOperation[] = [];

  constructor(usesBytes: boolean) {
    this.#usesBytes = usesBytes;
  }

  /** The generation that serves. */
  get current(): number {
    return this.#current;
  }

  get generations(): ReadonlyMap<number, SimulatedTables> {
    return this.#generations;
  }

  /** The rows of a generation, made empty when there are none. */
  tables(generation: number): SimulatedTables {
    let tables = this.#generations.get(generation);
    if (tables === undefined) {
      tables = new SimulatedTables(this.#usesBytes);
      this.#generations.set(generation, tables);
    }
    return tables;
  }

  /** Empties a generation that an earlier process left behind. */
  reopen(generation: number): SimulatedTables {
    this.#generations.delete(generation);
    return this.tables(generation);
  }

  submit(operation: DiskOperation): void {
    this.#pending.push(operation);
  }

  /** Makes everything durable up to and including the operation, unless a crash has taken it. */
  sync(operation: DiskOperation): void {
    const index = this.#pending.indexOf(operation);
    for (const done of this.#pending.splice(0, index + 1)) this.#apply(done);
  }

  #apply(operation: DiskOperation): void {
    if (operation.kind === "commit") this.tables(operation.generation).apply(operation.group);
    else if (operation.kind === "switch") this.#current = operation.generation;
    else this.#generations.delete(operation.generation);
    this.onDurable(operation);
  }

  /** The process died: of what was under way a random prefix survives. */
  crash(random: Random): void {
    const kept = random.below(this.#pending.length + 1);
    for (const done of this.#pending.splice(0, kept)) this.#apply(done);
    this.#pending = [];
  }

  /** A copy of the directory, taken while no process has it open. */
  image(): DiskImage {
    return {
      current: this.#current,
      generations: new Map(Array.from(this.#generations, ([number, tables]) => [number, tables.clone()])),
    };
  }

  /** Puts an image in place of the directory. */
  restore(image: DiskImage): void {
    this.#pending = [];
    this.#current = image.current;
    this.#generations = new Map(
      Array.from(image.generations, ([number, tables]) => [number, tables.clone()]),
    );
  }
}
