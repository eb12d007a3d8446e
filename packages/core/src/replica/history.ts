/**
 * How much log is kept beyond what members need (rule F2), so that watchers can go on after a pause: everything that is
 * younger than an age, as far as all logs together stay within a number of bytes, and within what the disk has to spare. Only keeps more: what members lack is
 * kept whatever is said here.
 */
import { type Timestamp, timestampFromMs, TIMESTAMP_MAX } from "../timestamp.ts";
import type { Replica } from "./replica.ts";

/** Into how many steps the age is divided: up to one step more is kept. */
const STEPS = 60;

export class History {
  readonly #ageMs: number;
  readonly #bytesMax: number;
  #keptFrom: Timestamp = 0;

  constructor({ historyMs, historyBytes }: { readonly historyMs: number; readonly historyBytes: number }) {
    this.#ageMs = historyMs;
    this.#bytesMax = historyBytes;
    if (historyMs === 0 || historyBytes === 0) this.#keptFrom = TIMESTAMP_MAX;
  }

  /** Logs are kept above this timestamp, for whatever else they may go. Only grows. */
  get keptFrom(): Timestamp {
    return this.#keptFrom;
  }

  /**
   * Time has passed, or logs have grown. Over the limit of bytes, as much of the time that is kept is given up as the
   * logs are too long: what that frees is seen when it is cut, and then the rest follows.
   */
  advance(replica: Replica, isCutting: boolean, nowMs: number, spareBytes: number): void {
    if (this.#keptFrom === TIMESTAMP_MAX) return;
    // In steps: each move of a floor is a write to the disk.
    const stepMs = Math.ceil(this.#ageMs / STEPS);
    const sinceMs = Math.floor((nowMs - this.#ageMs) / stepMs) * stepMs;
    this.#keptFrom = Math.max(this.#keptFrom, timestampFromMs(sinceMs));
    const excess = replica.logBytes - Math.min(this.#bytesMax, Math.max(0, spareBytes));
    const { horizon } = replica;
    if (excess <= 0 || isCutting || this.#keptFrom >= horizon) return;
    let from = Math.max(this.#keptFrom, Math.min(replica.identity.mesh.createdAt, horizon));
    for (const floor of replica.floors.values()) from = Math.max(from, floor);
    this.#keptFrom = Math.min(horizon, from + Math.ceil(((horizon - from) * excess) / replica.logBytes) + 1);
  }
}
