/** A small world of which every course of events is walked: what may happen in it, and how often. */
import type { ClientWrite } from "./live-machine.ts";

export interface SmallWorld {
  readonly name: string;
  /** Members at the begin; machines beyond these are empty until they start. */
  readonly members: number;
  readonly machines: number;
  /** Each happens at most once, anywhere, in any order. */
  readonly writes: readonly ClientWrite[];
  /** Per machine: a second passes, it claims, forgets and passes on what it heard. */
  readonly ticks: number;
  readonly cuts: number;
  /** Links that are opened anew. */
  readonly connects: number;
  readonly crashes: number;
  readonly removals: number;
  /** Commits become durable by an event of their own, and a power failure takes what is not. */
  readonly isLazy: boolean;
}

const put = (key: string, value: string, lifeMs = 0): ClientWrite => ({ key, value, lifeMs });
const remove = (key: string): ClientWrite => ({ key, value: undefined, lifeMs: 0 });
const NOTHING = { ticks: 0, cuts: 0, connects: 0, crashes: 0, removals: 0, isLazy: false };

/** The worlds that are explored, smallest first. */
export const SMALL_WORLDS: readonly SmallWorld[] = [
  {
    ...NOTHING,
    name: "two replicas write, delete and forget one key, over a link that breaks",
    members: 2,
    machines: 2,
    writes: [put("k", "1"), remove("k"), put("k", "2")],
    ticks: 2,
    cuts: 1,
    connects: 1,
  },
  {
    ...NOTHING,
    name: "two replicas lose power, and what was not durable",
    members: 2,
    machines: 2,
    writes: [put("k", "1"), remove("k")],
    ticks: 1,
    crashes: 1,
    connects: 1,
    isLazy: true,
  },
  {
    ...NOTHING,
    name: "three replicas write two keys, one with a deadline",
    members: 3,
    machines: 3,
    writes: [put("k", "1"), put("k", "2", 1500), remove("l")],
    ticks: 1,
    cuts: 1,
    connects: 1,
  },
  {
    ...NOTHING,
    name: "a third replica joins two while they write and delete",
    members: 2,
    machines: 3,
    writes: [put("k", "1"), remove("k")],
    ticks: 1,
    cuts: 1,
    connects: 2,
  },
  {
    ...NOTHING,
    name: "a member is removed, writes on, and comes back",
    members: 3,
    machines: 3,
    writes: [put("k", "1"), remove("k")],
    ticks: 2,
    cuts: 2,
    connects: 2,
    removals: 1,
  },
  {
    ...NOTHING,
    name: "three replicas crash, with and without power",
    members: 3,
    machines: 3,
    writes: [put("k", "1"), remove("k"), put("l", "2")],
    ticks: 1,
    crashes: 1,
    cuts: 1,
    connects: 2,
    isLazy: true,
  },
];
