import { replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { ReplicaId } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { positionAt } from "../position.ts";
import { VersionVector } from "../version-vector.ts";
import { heldLevel, holdingMembers } from "./held-level.ts";

const [A, B, C] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
const has = (timestamp: number): { vector: VersionVector; removed: Set<ReplicaId> } => ({
  vector: new VersionVector([[A, positionAt(timestamp)]]),
  removed: new Set(),
});

describe("heldLevel", () => {
  const known = new Map([
    [A, has(9)],
    [B, has(5)],
  ]);
  const level = (count: number): number => heldLevel([A, B, C], (id) => known.get(id), A, count);

  it("is what the last of so many members has", () => {
    expect([level(1), level(2)]).toEqual([9, 5]);
  });

  it("is nothing where too few are known, or there are too few", () => {
    expect([level(3), level(4)]).toEqual([0, 0]);
  });
});

describe("holdingMembers", () => {
  it("leaves out who joins, and who is gone", () => {
    const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
    const members = new MemberSet([
      [A, member],
      [B, { ...member, admittedBy: A }],
      [C, member],
    ]);
    expect(holdingMembers(members.without(C))).toEqual([A]);
  });
});
