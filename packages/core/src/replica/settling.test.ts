import { LoneReplica, replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { conflictsOf } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import { positionAt } from "../position.ts";
import { type Adoption, makeRecord, type RecordFields, type WriteRecord } from "../record.ts";
import { EPOCH_MS, timestampFromMs, type Timestamp } from "../timestamp.ts";

const [SELF, PEER, LOST] = [replicaId(1), replicaId(2), replicaId(3)];
const NOW_MS = EPOCH_MS + 1_000_000;
const KEY = "key" as KeyText;
const at = (ms: number): Timestamp => timestampFromMs(NOW_MS + ms);

function put(ms: number, changes: Partial<RecordFields> = {}): WriteRecord {
  return makeRecord({
    timestamp: at(ms),
    origin: LOST,
    key: KEY,
    isDelete: false,
    value: new TextEncoder().encode(`${ms}`),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: undefined,
    ...changes,
  });
}

/** A write as the peer adopted it. */
function adoptedByPeer(
  { timestamp, checksum }: WriteRecord,
  ms: number,
  how: Partial<Adoption>,
): WriteRecord {
  const adopted = { timestamp, origin: LOST, checksum, rank: timestamp, raised: false, ...how };
  return put(ms, { origin: PEER, value: new TextEncoder().encode("first"), adopted });
}

function holder(...held: readonly WriteRecord[]): LoneReplica {
  const lone = new LoneReplica(SELF, NOW_MS + 500, [PEER, LOST]);
  for (const one of held) accept(lone, one);
  return lone;
}

function accept(lone: LoneReplica, record: WriteRecord): readonly WriteRecord[] {
  lone.replica.accept(record.origin, [record], positionAt(record.timestamp), lone.nowMs);
  return lone.commit()?.records ?? [];
}

const FIRST = put(10);
const THIRD = put(30, { context: [{ origin: PEER, timestamp: at(5) }] });

describe("a settled write", () => {
  it("goes, and what settles it competes by its rank, in one batch behind what is adopted", () => {
    const lone = holder(adoptedByPeer(FIRST, 100, {}));
    const [held] = [lone.replica.entry(KEY)?.winner];
    if (held === undefined) throw new Error("it is held");
    lone.replica.adopt(THIRD, lone.nowMs, [held]);
    const [adoption, settling, ...more] = lone.commit()?.records ?? [];
    expect(more).toEqual([]);
    expect(adoption).toMatchObject({ moreFollows: true, adopted: { timestamp: THIRD.timestamp } });
    expect(settling).toMatchObject({
      isDelete: true,
      moreFollows: false,
      adopted: { rank: FIRST.timestamp },
    });
    const entry = lone.replica.entry(KEY);
    expect(entry?.winner.value).toEqual(THIRD.value);
    expect(entry && conflictsOf(entry)).toEqual([]);
  });

  it("has one name, whoever states that it is settled", () => {
    const [mine, theirs] = [SELF, PEER].map((id) => {
      const lone = new LoneReplica(id, NOW_MS + 500, []);
      lone.replica.settle([adoptedByPeer(FIRST, 100, { raised: id === PEER })], lone.nowMs);
      return lone.commit()?.records[0];
    });
    const { timestamp, origin, checksum } = mine?.adopted ?? {};
    expect(theirs?.adopted).toMatchObject({ timestamp, origin, checksum });
    expect(checksum).not.toBe(FIRST.checksum);
  });

  it("loses to the latest of the others, also when it was raised", () => {
    const raised = adoptedByPeer(FIRST, 100, { rank: at(50), raised: true });
    const lone = holder(put(20, { origin: replicaId(4) }), THIRD, raised);
    expect(lone.replica.entry(KEY)?.winner.value).toEqual(THIRD.value);
  });

  it("is kept as a settled conflict where it had won, since what wins then had not seen it", () => {
    const raised = adoptedByPeer(FIRST, 100, { rank: at(50), raised: true });
    const lone = holder(put(20, { origin: replicaId(4) }), raised);
    expect(lone.replica.entry(KEY)?.winner).toEqual(raised);
    lone.replica.settle([raised], lone.nowMs);
    const settled = lone.commit()?.settled.map(({ record }) => record);
    expect(lone.replica.entry(KEY)?.winner.value).toEqual(put(20).value);
    expect(settled).toContainEqual(raised);
  });

  it("is settled as it arrives where it was here under another name", () => {
    const lone = holder(FIRST);
    const seen = [{ origin: LOST, timestamp: FIRST.timestamp }];
    accept(lone, put(20, { origin: replicaId(4), context: seen }));
    // Its context does not name what its writer's mesh had forgotten.
    accept(lone, put(40, { origin: replicaId(4), context: [{ origin: replicaId(4), timestamp: at(20) }] }));
    const records = accept(lone, adoptedByPeer(FIRST, 100, {}));
    expect(records).toHaveLength(2);
    expect(records[1]).toMatchObject({ isDelete: true, origin: SELF });
    const entry = lone.replica.entry(KEY);
    expect(entry?.winner.timestamp).toBe(at(40));
    expect(entry && conflictsOf(entry)).toEqual([]);
  });

  it("is told from one that never was here", () => {
    const lone = holder(put(40, { origin: replicaId(4) }));
    expect(accept(lone, adoptedByPeer(FIRST, 100, {}))).toHaveLength(1);
    const entry = lone.replica.entry(KEY);
    expect(entry && conflictsOf(entry)).toHaveLength(1);
  });
});
