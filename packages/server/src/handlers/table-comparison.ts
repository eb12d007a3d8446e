/**
 * Compares the table of this replica with that of another, stretch by stretch in key order, in bounded memory. Stretches
 * whose sums differ are named key by key; a key that differs is looked at again, with pauses, until it can be judged:
 * writes may be on their way.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  differingKeys,
  type HeldEntry,
  isReplaced,
  judgeKey,
  type KeyLook,
  type KeyText,
} from "@meshkv/core";
import { KEYS_MAX, STRETCH_BYTES_MAX } from "./comparison-handlers.ts";
import type { ComparisonScope, ComparisonSide, LocalSide, Stretch } from "./comparison.ts";

const DESCRIBED_BYTES = 256 * 1024;
/** Keys that wait to be judged; more are judged before the comparison goes on. */
const SUSPECTS_MAX = 2000;
const FIRST_PAUSE_MS = 20;
const PAUSE_MS_MAX = 500;

/** What a comparison tells on its way. */
export type ComparisonNews =
  | { readonly kind: "progress"; readonly keys: number }
  | { readonly kind: "difference"; readonly here: HeldEntry; readonly there: HeldEntry };

/** How a comparison is made. */
export interface ComparisonOptions {
  readonly here: LocalSide;
  readonly there: ComparisonSide;
  readonly scope: ComparisonScope;
  /** How long keys are looked at again in all, in milliseconds of pauses. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** One comparison of two tables; to be run once. */
export class TableComparison {
  readonly #options: ComparisonOptions;
  readonly #suspects = new Map<KeyText, KeyLook | undefined>();
  #patienceMs: number;
  #pauseMs = FIRST_PAUSE_MS;
  #keys = 0;
  #differing = 0;
  #unsettled = 0;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs;
  }

  /** Entries of the other side that were compared. */
  get keys(): number {
    return this.#keys;
  }
  /** Keys under which the tables differ. */
  get differing(): number {
    return this.#differing;
  }
  /** Keys of which nothing can be said: a write of one side has not reached the other. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Compares; tells progress and differences. @throws MeshkvError what the sides throw; the signal's reason */
  async *run(): AsyncGenerator<ComparisonNews> {
    const { here, there, scope, signal } = this.#options;
    let after: KeyText | undefined;
    let summary = there.summarize(scope, after, STRETCH_BYTES_MAX);
    for (;;) {
      signal.throwIfAborted();
      const { last, entries, sum } = await summary;
      // Asked for now, so that the other side adds up while this one does.
      if (last !== undefined) {
        summary = there.summarize(scope, last, STRETCH_BYTES_MAX);
        // Waited for in the next turn, or by nobody when this one fails.
        summary.catch(() => undefined);
      }
      const own = await here.sumOf(scope, { after, last }, STRETCH_BYTES_MAX);
      if (!own.matches(sum)) yield* this.#nameKeys({ after, last });
      this.#keys += entries;
      yield { kind: "progress", keys: this.#keys };
      if (last === undefined) break;
      after = last;
    }
    while (this.#suspects.size > 0) yield* this.#judgeAfterPause();
  }

  /** Finds the keys of a stretch that differ. The sides cut it into pieces of their own: it ends with the shorter one. */
  async *#nameKeys(stretch: Stretch): AsyncGenerator<ComparisonNews> {
    const { here, there, scope, signal } = this.#options;
    let { after } = stretch;
    for (;;) {
      signal.throwIfAborted();
      const rest = { after, last: stretch.last };
      const [own, other] = await Promise.all([
        here.describe(scope, rest, DESCRIBED_BYTES),
        there.describe(scope, rest, DESCRIBED_BYTES),
      ]);
      const end = lesserOf(own.next, other.next);
      const isInside = ({ key }: HeldEntry): boolean => end === undefined || key <= end;
      for (const key of differingKeys(own.entries.filter(isInside), other.entries.filter(isInside))) {
        if (!this.#suspects.has(key)) this.#suspects.set(key, undefined);
      }
      if (this.#suspects.size >= SUSPECTS_MAX) yield* this.#judge();
      while (this.#suspects.size >= SUSPECTS_MAX) yield* this.#judgeAfterPause();
      if (end === undefined) return;
      after = end;
    }
  }

  /** Looks at every suspect once more; when patience is at its end, those that cannot be judged are given up. */
  async *#judgeAfterPause(): AsyncGenerator<ComparisonNews> {
    yield* this.#judge();
    if (this.#suspects.size === 0) return;
    if (this.#patienceMs <= 0) {
      this.#unsettled += this.#suspects.size;
      this.#suspects.clear();
      return;
    }
    const pauseMs = Math.min(this.#pauseMs, this.#patienceMs);
    this.#patienceMs -= pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    await sleep(pauseMs, undefined, { signal: this.#options.signal }).catch(() =>
      this.#options.signal.throwIfAborted(),
    );
  }

  async *#judge(): AsyncGenerator<ComparisonNews> {
    const { here, there, scope } = this.#options;
    const all = [...this.#suspects.keys()];
    for (let from = 0; from < all.length; from += KEYS_MAX) {
      const keys = all.slice(from, from + KEYS_MAX);
      const before = here.held(scope, keys);
      const answer = await there.describeKeys(scope, keys);
      const after = here.held(scope, keys);
      for (const [index, key] of keys.entries()) {
        const look = lookOf(before.entries[index], answer.entries[index], after.entries[index]);
        if (look === undefined) continue;
        const verdict = judgeKey(look, after.vectorOf, answer.vectorOf);
        const first = this.#suspects.get(key);
        if (verdict === "unsettled" && (first === undefined || !isReplaced(first, look))) {
          if (first === undefined) this.#suspects.set(key, look);
          continue;
        }
        this.#suspects.delete(key);
        if (verdict !== "different") continue;
        this.#differing += 1;
        yield { kind: "difference", here: look.after, there: look.there };
      }
    }
  }
}

function lookOf(
  before: HeldEntry | undefined,
  there: HeldEntry | undefined,
  after: HeldEntry | undefined,
): KeyLook | undefined {
  return before && there && after && { before, there, after };
}

function lesserOf(a: KeyText | undefined, b: KeyText | undefined): KeyText | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
