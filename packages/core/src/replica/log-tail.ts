import type { ReplicaId } from "../ids.ts";
import type { WriteRecord } from "../record.ts";
import type { Timestamp } from "../timestamp.ts";

/** The greatest record of each origin that this process accepted: it saves scans that would find nothing. */
export class LogTail {
  readonly #last = new Map<ReplicaId, Timestamp>();

  /** Takes note of a record that was appended; copied tombstones come in any order. */
  add({ origin, timestamp }: WriteRecord): void {
    this.#last.set(origin, Math.max(timestamp, this.#last.get(origin) ?? 0));
  }

  /** Whether the origin's log surely holds nothing above the timestamp. */
  endsBy(origin: ReplicaId, timestamp: Timestamp): boolean {
    const last = this.#last.get(origin);
    return last !== undefined && last <= timestamp;
  }

  /** Whether some origin's last record lies above the horizon, and above its floor. */
  reachesAbove(horizon: Timestamp, floors: ReadonlyMap<ReplicaId, Timestamp>): boolean {
    for (const [origin, last] of this.#last)
      if (last > horizon && last > (floors.get(origin) ?? 0)) return true;
    return false;
  }
}
