import { LoneReplica, replicaId } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyText, ReplicaId } from "../ids.ts";
import { positionAt } from "../position.ts";
import { makeRecord, type WriteRecord } from "../record.ts";
import { EPOCH_MS } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { RecentLog } from "./recent-log.ts";

const [A, B] = [1, 2].map(replicaId) as [ReplicaId, ReplicaId];
const ANY = (): boolean => true;
const NO_FLOORS = new Map<ReplicaId, number>();

function record(origin: ReplicaId, timestamp: number, moreFollows = false, bytes = 10): WriteRecord {
  return makeRecord({
    timestamp,
    origin,
    key: "k" as KeyText,
    isDelete: false,
    value: new Uint8Array(bytes),
    expiresAtMs: 0,
    context: [],
    moreFollows,
    adopted: undefined,
  });
}

function vector(...claims: readonly (readonly [ReplicaId, number])[]): VersionVector {
  return new VersionVector(claims.map(([origin, timestamp]) => [origin, positionAt(timestamp)]));
}

const timestamps = (found: { readonly records: readonly WriteRecord[] } | undefined): number[] | undefined =>
  found?.records.map(({ timestamp }) => timestamp);

describe("RecentLog", () => {
  it("answers from a position on which it reaches back to, and leaves the rest to the tables", () => {
    const recent = new RecentLog(vector([A, 10]), 10_000);
    expect(recent.read(A, 10, 1000)).toBeUndefined();
    recent.add([record(A, 12), record(A, 15)], vector([A, 20]), NO_FLOORS, ANY);
    expect(recent.read(A, 9, 1000)).toBeUndefined();
    expect(timestamps(recent.read(A, 10, 1000))).toEqual([12, 15]);
    expect(timestamps(recent.read(A, 12, 1000))).toEqual([15]);
    expect(recent.read(A, 20, 1000)).toEqual({ records: [], done: true });
    expect(recent.read(B, 0, 1000)).toBeUndefined();
  });

  it("cuts a page at the end of a batch", () => {
    const recent = new RecentLog(vector(), 10_000);
    const batch = [record(A, 1), record(A, 2, true), record(A, 3, true), record(A, 4), record(A, 5)];
    recent.add(batch, vector([A, 5]), NO_FLOORS, ANY);
    expect(timestamps(recent.read(A, 0, 1))).toEqual([1]);
    const page = recent.read(A, 1, 1);
    expect(timestamps(page)).toEqual([2, 3, 4]);
    expect(page?.done).toBe(false);
    expect(recent.read(A, 4, 1)?.done).toBe(true);
  });

  it("drops whole batches, the oldest of all origins first, when it is full", () => {
    const recent = new RecentLog(vector(), 4 * (record(A, 1).bytes.length + 300));
    recent.add([record(A, 1, true), record(A, 2), record(B, 3)], vector([A, 2], [B, 3]), NO_FLOORS, ANY);
    recent.add([record(B, 4), record(A, 5)], vector([A, 5], [B, 4]), NO_FLOORS, ANY);
    expect(recent.read(A, 0, 1000)).toBeUndefined();
    expect(timestamps(recent.read(A, 2, 1000))).toEqual([5]);
    expect(timestamps(recent.read(B, 0, 1000))).toEqual([3, 4]);
  });

  it("holds nothing of an origin that nobody wants, and again all that comes from when somebody does", () => {
    const recent = new RecentLog(vector(), 10_000);
    recent.add([record(A, 1), record(B, 2)], vector([A, 1], [B, 2]), NO_FLOORS, ANY);
    recent.add([record(A, 3), record(B, 4)], vector([A, 3], [B, 4]), NO_FLOORS, (origin) => origin === B);
    expect(recent.read(A, 1, 1000)).toBeUndefined();
    expect(timestamps(recent.read(B, 0, 1000))).toEqual([2, 4]);
    const { bytes } = recent;
    recent.add([record(A, 5)], vector([A, 5], [B, 4]), NO_FLOORS, ANY);
    expect(recent.read(A, 1, 1000)).toBeUndefined();
    expect(timestamps(recent.read(A, 3, 1000))).toEqual([5]);
    expect(recent.bytes).toBe(bytes + record(A, 5).bytes.length + 300);
  });

  it("takes no rows that stand in a log for other reasons: tombstones that were copied", () => {
    const lone = new LoneReplica(A, EPOCH_MS + 1_000_000);
    lone.commit();
    const { replica } = lone;
    const recent = new RecentLog(replica.durableVector, 10_000);
    const floors = new Map([[B, 9]]);
    const tombstone = makeRecord({ ...record(B, 7), value: new Uint8Array(0), isDelete: true });
    replica.copy({ winner: tombstone, siblings: [] }, floors, true);
    recent.add(lone.commit()?.records ?? [], replica.durableVector, replica.floors, ANY);
    replica.takeOver(9, new Set([A, B]), floors, vector([B, 9]));
    replica.copy({ winner: { ...tombstone, key: "other" as KeyText }, siblings: [] }, floors, true);
    replica.accept(B, [record(B, 12)], positionAt(12), lone.nowMs);
    recent.add(lone.commit()?.records ?? [], replica.durableVector, replica.floors, ANY);
    expect(timestamps(recent.read(B, 9, 1000))).toEqual([12]);
  });

  it("answers what the tables answer, page by page, whatever it has dropped", () => {
    const writes = fc.record({
      batch: fc.integer({ min: 1, max: 4 }),
      bytes: fc.integer({ min: 0, max: 400 }),
      commits: fc.boolean(),
      isWanted: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(writes, { maxLength: 40 }),
        fc.integer({ min: 0, max: 8000 }),
        fc.integer({ min: 1, max: 1500 }),
        (steps, bytesMax, pageBytes) => {
          const lone = new LoneReplica(A, EPOCH_MS + 1_000_000);
          lone.commit();
          const recent = new RecentLog(lone.replica.durableVector, bytesMax);
          const starts = [0];
          for (const { batch, bytes, commits, isWanted } of steps) {
            const value = new Uint8Array(bytes);
            const all = Array.from({ length: batch }, (_, at) => ({
              key: `${at}` as KeyText,
              value,
              expiresAtMs: 0,
            }));
            starts.push(lone.replica.write(all, lone.nowMs).at(-1)?.timestamp ?? 0);
            if (!commits) continue;
            const { records = [] } = lone.commit() ?? {};
            recent.add(records, lone.replica.durableVector, lone.replica.floors, () => isWanted);
          }
          const upTo = lone.replica.durableVector.get(A);
          for (const after of starts.filter((start) => start <= upTo)) {
            const found = recent.read(A, after, pageBytes);
            if (found === undefined) continue;
            const { kind, ...stored } = lone.tables.scan({
              kind: "log",
              origin: A,
              after,
              upTo,
              bytesMax: pageBytes,
            });
            expect(kind).toBe("log");
            expect(found).toEqual(stored);
          }
          expect(recent.bytes).toBeLessThanOrEqual(bytesMax);
        },
      ),
      { numRuns: 200 },
    );
  });
});
