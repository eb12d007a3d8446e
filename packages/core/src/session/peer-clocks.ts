/** The wall clocks of the peers that are reached, those included with which no stream is possible (rules C1, C2). */
import type { ReplicaId } from "../ids.ts";
import type { Session } from "./session.ts";

/** A peer whose clock disagrees is dialled again every few seconds; one that is not heard for longer has gone. */
const REMEMBERED_MS = 15_000;
/** Share of the allowed drift beyond which a clock counts as off. */
const OFF_SHARE = 0.8;

export class PeerClocks {
  readonly #skewed = new Map<ReplicaId, { readonly offsetMs: number; readonly atMs: number }>();

  /** A peer was turned away since the clocks disagree. */
  skewed(peer: ReplicaId, offsetMs: number, nowMs: number): void {
    this.#skewed.set(peer, { offsetMs, atMs: nowMs });
  }

  /** Forgets peers that were not heard for long. */
  forget(nowMs: number): void {
    for (const [peer, { atMs }] of this.#skewed) {
      if (nowMs - atMs > REMEMBERED_MS || nowMs < atMs) this.#skewed.delete(peer);
    }
  }

  /** Whether some peer's clock is off this one's: else this one is not off their median. */
  isAnyOff(sessions: Iterable<Session>, driftMsMax: number): boolean {
    if (this.#skewed.size > 0) return true;
    for (const { mode, wallOffsetMs } of sessions) {
      if (mode === "streaming" && Math.abs(wallOffsetMs) > OFF_SHARE * driftMsMax) return true;
    }
    return false;
  }

  /** Peers' clocks minus this one's, in milliseconds. */
  offsets(streaming: readonly Session[]): number[] {
    const peers = new Set(streaming.map((session) => session.peer));
    const skewed = [...this.#skewed].filter(([peer]) => !peers.has(peer));
    return [
      ...streaming.map((session) => session.wallOffsetMs),
      ...skewed.map(([, { offsetMs }]) => offsetMs),
    ];
  }
}

/** Whether a clock is off the median of its peers' and itself. That needs three; of two nobody knows which is wrong. */
export function isOffMedian(offsets: readonly number[], driftMsMax: number): boolean {
  if (offsets.length < 2) return false;
  const sorted = [0, ...offsets].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
  return Math.abs(median) > OFF_SHARE * driftMsMax;
}
