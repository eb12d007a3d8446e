/** One state of a small world, as a value: machines, histories and messages under way by number. */
import type { LinkId } from "@meshkv/core";
import type { Hash } from "./hash.ts";
import type { History } from "./history.ts";

/** The end of what a side sent before it hung up. */
export const END = 0;

/** A link between two machines; the queues hold what is under way to each end. */
export interface WorldLink {
  readonly id: LinkId;
  readonly ends: readonly [number, number];
  readonly isUp: readonly [boolean, boolean];
  readonly queues: readonly [readonly number[], readonly number[]];
}

/** What may still happen. */
export interface Budgets {
  /** Per machine. */
  readonly ticks: readonly number[];
  readonly cuts: number;
  readonly connects: number;
  readonly crashes: number;
  readonly removals: number;
  /** Client writes that were done, as bits. */
  readonly writes: number;
}

export interface WorldState {
  /** Numbers of machine states; -1 for a machine that has not started. */
  readonly machines: readonly number[];
  readonly links: readonly WorldLink[];
  readonly nextLink: LinkId;
  /** Per machine, the machine that its successor wants to reach; -1 for none. */
  readonly dials: readonly number[];
  readonly budgets: Budgets;
  readonly history: History;
  /** Per machine, what it has accepted, and what of it is durable, as bits of the history. */
  readonly accepted: readonly number[];
  readonly durable: readonly number[];
  /** Per machine, what the successor under construction has accepted. */
  readonly building: readonly number[];
  /** Records that were durable at some time, and records whose writer was told so. */
  readonly everDurable: number;
  readonly acknowledged: number;
}

/** Takes everything of a state into a hash: equal for equal states. */
export function hashState(hash: Hash, state: WorldState): Hash {
  const { budgets } = state;
  hash.reset().numbers(state.machines).numbers(state.dials).number(state.history.id);
  hash.numbers(state.accepted).numbers(state.durable).numbers(state.building);
  hash.number(state.everDurable).number(state.acknowledged).numbers(budgets.ticks).number(budgets.cuts);
  hash.number(budgets.connects).number(budgets.crashes).number(budgets.removals).number(budgets.writes);
  for (const { id, ends, isUp, queues } of state.links) {
    hash.number(id).number(ends[0]).number(ends[1]);
    hash.number((isUp[0] ? 1 : 0) + (isUp[1] ? 2 : 0));
    hash.numbers(queues[0]).numbers(queues[1]);
  }
  return hash;
}

/** A copy of a list with one item changed. */
export function withItem<T>(items: readonly T[], index: number, item: T): readonly T[] {
  const copy = items.slice();
  copy[index] = item;
  return copy;
}
