/** Which records were written as one atomic unit (rule W6). */
import type { ReplicaId, WriteRecord } from "@meshkv/core";

export class Batches {
  readonly #ofOrigin = new Map<ReplicaId, WriteRecord[][]>();

  add(records: readonly WriteRecord[]): void {
    const [first] = records;
    if (first === undefined || records.length < 2) return;
    const known = this.#ofOrigin.get(first.origin);
    if (known === undefined) this.#ofOrigin.set(first.origin, [[...records]]);
    else known.push([...records]);
  }

  /** The batch that the position cuts: it lies behind its first record and before its last. Undefined when none is cut. */
  cutBy(origin: ReplicaId, timestamp: number): readonly WriteRecord[] | undefined {
    const batches = this.#ofOrigin.get(origin) ?? [];
    let [low, high] = [0, batches.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((batches[middle]?.at(-1)?.timestamp ?? 0) <= timestamp) low = middle + 1;
      else high = middle;
    }
    const batch = batches[low];
    return (batch?.[0]?.timestamp ?? Number.POSITIVE_INFINITY) <= timestamp ? batch : undefined;
  }
}
