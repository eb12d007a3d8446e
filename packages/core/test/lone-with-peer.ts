/** A replica alone in memory, and what a peer of it writes. */
import { LoneReplica, replicaId } from "@meshkv/testing/pure";
import type { KeyText } from "../src/ids.ts";
import { positionAt } from "../src/position.ts";
import { makeRecord, type RecordFields, type WriteRecord } from "../src/record.ts";
import { EPOCH_MS, timestampFromMs } from "../src/timestamp.ts";

export const [SELF, PEER] = [replicaId(1), replicaId(2)];
export const NOW_MS = EPOCH_MS + 1_000_000;
export const KEY = "key" as KeyText;

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A put of the peer at a millisecond relative to now. */
export function peerPut(ms: number, changes: Partial<RecordFields> = {}): WriteRecord {
  return makeRecord({
    timestamp: timestampFromMs(NOW_MS + ms),
    origin: PEER,
    key: KEY,
    isDelete: false,
    value: bytes(`at ${ms}`),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: undefined,
    ...changes,
  });
}

export function accept(lone: LoneReplica, ...records: readonly WriteRecord[]): void {
  const last = records.at(-1);
  if (last !== undefined) lone.replica.accept(last.origin, records, positionAt(last.timestamp), lone.nowMs);
}

export function valueOf(lone: LoneReplica, key = "key"): string | undefined {
  const entry = lone.replica.entry(key as KeyText);
  return entry === undefined || entry.winner.isDelete
    ? undefined
    : new TextDecoder().decode(entry.winner.value);
}

export function fresh(): LoneReplica {
  const lone = new LoneReplica(SELF, NOW_MS, [PEER]);
  lone.commit();
  return lone;
}
