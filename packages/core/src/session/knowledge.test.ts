import { describe, expect, it } from "vitest";
import { idFromWords, type ReplicaId } from "../ids.ts";
import { positionAt } from "../position.ts";
import { VersionVector } from "../version-vector.ts";
import { Knowledge } from "./knowledge.ts";

const [A, B, C] = [1, 2, 3].map((number) => idFromWords(0, number)) as [ReplicaId, ReplicaId, ReplicaId];

function vector(...claims: readonly [ReplicaId, number][]): VersionVector {
  return new VersionVector(claims.map(([origin, timestamp]) => [origin, positionAt(timestamp)]));
}

describe("Knowledge", () => {
  it("is what a member says itself: more that was heard of it was heard of a copy of its directory", () => {
    const knowledge = new Knowledge();
    knowledge.learn(A, vector([B, 7], [C, 2]), [C]);
    const before = knowledge.revisionOf(A);
    knowledge.meet(A, vector([B, 5], [C, 3]), []);
    expect(knowledge.get(A)?.vector.equals(vector([B, 5], [C, 3]))).toBe(true);
    expect([...(knowledge.get(A)?.removed ?? [])]).toEqual([C]);
    expect(knowledge.revisionOf(A)).toBeGreaterThan(before);
    // Who has got further since is known to have: nothing is begun anew.
    knowledge.meet(A, vector([B, 6], [C, 3]), []);
    expect(knowledge.get(A)?.vector.equals(vector([B, 6], [C, 3]))).toBe(true);
  });

  it("knows nothing of a member that nobody spoke of", () => {
    const knowledge = new Knowledge();
    expect(knowledge.get(A)).toBeUndefined();
    expect(knowledge.revisionOf(A)).toBe(0);
  });

  it("never goes back, whatever the order in which it hears", () => {
    const knowledge = new Knowledge();
    knowledge.learn(A, vector([B, 7], [C, 2]), [C]);
    knowledge.learn(A, vector([B, 5], [C, 3]), []);
    expect(knowledge.get(A)?.vector.get(B)).toBe(7);
    expect(knowledge.get(A)?.vector.get(C)).toBe(3);
    expect([...(knowledge.get(A)?.removed ?? [])]).toEqual([C]);
  });

  it("counts a revision only when something is news", () => {
    const knowledge = new Knowledge();
    knowledge.learn(A, vector([B, 7]), [C]);
    const first = knowledge.revisionOf(A);
    knowledge.learn(A, vector([B, 7]), [C]);
    knowledge.learn(A, vector([B, 6]), undefined);
    expect(knowledge.revisionOf(A)).toBe(first);
    knowledge.learn(A, vector([B, 8]), undefined);
    expect(knowledge.revisionOf(A)).toBeGreaterThan(first);
  });

  it("counts removals as news of their own", () => {
    const knowledge = new Knowledge();
    knowledge.learn(A, vector([B, 7]), undefined);
    const first = knowledge.revisionOf(A);
    knowledge.learn(A, vector(), [B]);
    expect(knowledge.revisionOf(A)).toBeGreaterThan(first);
  });

  it("keeps what it learnt apart from the vector that told it", () => {
    const knowledge = new Knowledge();
    const told = vector([B, 7]);
    knowledge.learn(A, told, undefined);
    told.advance(B, positionAt(9));
    expect(knowledge.get(A)?.vector.get(B)).toBe(7);
  });
});
