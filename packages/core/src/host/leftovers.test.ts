import { replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { positionAt, positionOf } from "../position.ts";
import { makeRecord, type RecordFields, type WriteRecord } from "../record.ts";
import { VersionVector } from "../version-vector.ts";
import { leftoversOf, mayHaveLeftovers } from "./leftovers.ts";

const [MOVER, HERE] = [replicaId(1), replicaId(2)];
/** The mover's directory was copied at 10; the original went on in its start, the copy in another. */
const START = { id: startId(1), recovered: 0 };
const HELD = positionOf([START], 40);
const COPY = positionOf([START, { id: startId(2), recovered: 10 }], 30);

/** A write of the mover as somebody here adopted it. */
function adopted(timestamp: number, changes: Partial<RecordFields> = {}): WriteRecord {
  return makeRecord({
    timestamp: 100 + timestamp,
    origin: HERE,
    key: "key" as KeyText,
    isDelete: false,
    value: new Uint8Array(),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: { timestamp, origin: MOVER, checksum: 1, rank: timestamp, raised: false },
    ...changes,
  });
}

const vector = new VersionVector([[HERE, positionAt(200)]]);
const mesh = { vector, members: new MemberSet().naming([[MOVER, positionOf([START], 30)]]) };
const had = { seen: new VersionVector([[MOVER, HELD]]), branches: new Map([[MOVER, HELD]]) };
const noted = {
  vector,
  members: mesh.members.without(MOVER, {
    successor: HERE,
    adopter: HERE,
    adoptedAt: 150,
    offered: new VersionVector([[MOVER, HELD]]),
    held: new VersionVector(),
  }),
};

describe("leftovers of a rejoin that was broken off", () => {
  it("are adopted puts, winning or not, that the replica had and the mesh knows nothing else of", () => {
    const [winner, loser] = [adopted(25), adopted(20)];
    expect(leftoversOf({ winner, siblings: [loser] }, mesh, had)).toEqual([winner, loser]);
    expect(mayHaveLeftovers(mesh, had.seen)).toBe(true);
  });

  it.each<[string, WriteRecord]>([
    ["deletes", adopted(20, { isDelete: true })],
    ["puts whose deadline may have passed there", adopted(20, { expiresAtMs: 5 })],
    ["writes of this mesh", adopted(20, { adopted: undefined })],
    ["what was written later than all that the replica had", adopted(50)],
    ["what lies beyond all that was offered", adopted(35)],
  ])("are not %s", (_what, winner) => {
    expect(leftoversOf({ winner, siblings: [] }, mesh, had)).toEqual([]);
  });

  it("are not what a rejoin that was carried through has brought", () => {
    expect(leftoversOf({ winner: adopted(20), siblings: [] }, noted, had)).toEqual([]);
    expect(mayHaveLeftovers(noted, had.seen)).toBe(false);
    expect(mayHaveLeftovers({ vector, members: new MemberSet() }, had.seen)).toBe(false);
  });

  it("are not what a copy of the replica's directory wrote", () => {
    const copied = { vector, members: new MemberSet().naming([[MOVER, COPY]]) };
    const [before, after] = [adopted(10), adopted(20)];
    expect(leftoversOf({ winner: after, siblings: [before] }, copied, had)).toEqual([before]);
  });
});
