import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idFromWords, type ReplicaId } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { positionAt } from "../position.ts";
import type { Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { computeFloor, computeHorizon, type MemberKnowledge } from "./horizon.ts";

const [A, B, C, D] = [1, 2, 3, 4].map((number) => idFromWords(0, number)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];
const ALL = [A, B, C, D];

type Claims = Readonly<Record<ReplicaId, Timestamp>>;
type Known = ReadonlyMap<ReplicaId, MemberKnowledge>;

function memberSet(current: readonly ReplicaId[], removed: readonly ReplicaId[] = []): MemberSet {
  const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
  return new MemberSet([
    ...current.map((id) => [id, member] as const),
    ...removed.map((id) => [id, { ...member, removed: true }] as const),
  ]);
}

function knowledge(claims: Claims, ...removed: readonly ReplicaId[]): MemberKnowledge {
  const positions = Object.entries(claims).map(([id, at]) => [id as ReplicaId, positionAt(at)] as const);
  return { vector: new VersionVector(positions), removed: new Set(removed) };
}

function horizonOf(members: MemberSet, known: Known) {
  return computeHorizon(members, (member) => known.get(member));
}

describe("computeHorizon", () => {
  it("is the least that any member has of any member's log, and says who holds it", () => {
    const known = new Map([
      [A, knowledge({ [A]: 9, [B]: 7 })],
      [B, knowledge({ [A]: 6, [B]: 8 })],
    ]);
    expect(horizonOf(memberSet([A, B]), known)).toEqual({ timestamp: 6, heldBy: B });
  });

  it("is the own claim in a mesh of one", () => {
    expect(horizonOf(memberSet([A]), new Map([[A, knowledge({ [A]: 9 })]]))).toEqual({
      timestamp: 9,
      heldBy: A,
    });
  });

  it("stays at the beginning while nothing is known of a member, or it has nothing of another", () => {
    const first = [A, knowledge({ [A]: 9, [B]: 9 })] as const;
    expect(horizonOf(memberSet([A, B]), new Map([first]))).toEqual({ timestamp: 0, heldBy: B });
    const known = new Map([first, [B, knowledge({ [B]: 9 })]]);
    expect(horizonOf(memberSet([A, B]), known)).toEqual({ timestamp: 0, heldBy: B });
  });

  it("names a member that fell silent, and not the one that has all that it ever told", () => {
    const known = new Map([
      [A, knowledge({ [A]: 90, [B]: 7 })],
      [B, knowledge({ [A]: 8, [B]: 7 })],
    ]);
    expect(horizonOf(memberSet([A, B]), known)).toEqual({ timestamp: 7, heldBy: B });
  });

  it("waits for no origin that was never a member", () => {
    const known = new Map([
      [A, knowledge({ [A]: 9, [B]: 9, [C]: 1 })],
      [B, knowledge({ [A]: 8, [B]: 9 })],
    ]);
    expect(horizonOf(memberSet([A, B]), known)?.timestamp).toBe(8);
  });

  it("waits for a removed origin until every member has the removal", () => {
    const claims = { [A]: 9, [B]: 9, [C]: 5 };
    const unaware = new Map([
      [A, knowledge(claims, C)],
      [B, knowledge(claims)],
    ]);
    expect(horizonOf(memberSet([A, B], [C]), unaware)).toEqual({ timestamp: 0, heldBy: B });
    const aware = new Map([
      [A, knowledge(claims, C)],
      [B, knowledge(claims, C)],
    ]);
    expect(horizonOf(memberSet([A, B], [C]), aware)?.timestamp).toBe(9);
  });

  it("waits for a removed origin at the least claim, while the members' claims of it differ", () => {
    const known = new Map([
      [A, knowledge({ [A]: 9, [B]: 9, [C]: 5 }, C)],
      [B, knowledge({ [A]: 9, [B]: 9, [C]: 3 }, C)],
    ]);
    expect(horizonOf(memberSet([A, B], [C]), known)).toEqual({ timestamp: 3, heldBy: B });
  });

  it("waits for no knowledge of the removed replica itself", () => {
    const claims = { [A]: 9, [B]: 9, [C]: 5 };
    const known = new Map([
      [A, knowledge(claims, C)],
      [B, knowledge(claims, C)],
      [C, knowledge({ [A]: 1 })],
    ]);
    expect(horizonOf(memberSet([A, B], [C]), known)?.timestamp).toBe(9);
  });

  it("is undefined where nobody is a member", () => {
    expect(horizonOf(memberSet([]), new Map())).toBeUndefined();
  });
});

describe("computeFloor", () => {
  const known = new Map([
    [A, knowledge({ [A]: 9, [B]: 7, [C]: 2 })],
    [B, knowledge({ [A]: 6, [B]: 8, [C]: 4 })],
  ]);
  const floorOf = (origin: ReplicaId, horizon: Timestamp, members = memberSet([A, B])): Timestamp =>
    computeFloor(origin, horizon, members, (member) => known.get(member));

  it("is what every member has of the origin, and never beyond the horizon", () => {
    expect(floorOf(A, 9)).toBe(6);
    expect(floorOf(A, 5)).toBe(5);
    expect(floorOf(C, 9)).toBe(2);
    expect(floorOf(D, 9)).toBe(0);
  });

  it("is nothing while nothing is known of a member", () => {
    expect(floorOf(A, 9, memberSet([A, B, D]))).toBe(0);
  });
});

describe("any horizon", () => {
  const claims = fc.record({ [A]: fc.nat(9), [B]: fc.nat(9), [C]: fc.nat(9), [D]: fc.nat(9) });
  const whatIsKnown = fc
    .tuple(claims, fc.subarray(ALL))
    .map(([vector, removed]) => knowledge(vector as Claims, ...removed));
  const worlds = fc.record({
    removed: fc.subarray(ALL, { maxLength: 3 }),
    known: fc.tuple(...ALL.map(() => fc.option(whatIsKnown, { nil: undefined, freq: 8 }))),
  });

  function worldOf({ removed, known }: { removed: ReplicaId[]; known: (MemberKnowledge | undefined)[] }) {
    const members = memberSet(
      ALL.filter((id) => !removed.includes(id)),
      removed,
    );
    const all = new Map(
      ALL.flatMap((id, index) => (known[index] === undefined ? [] : [[id, known[index]] as const])),
    );
    return { members, known: all };
  }

  it("is never above what any member is known to have of any member", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { members, known } = worldOf(world);
        const bound = horizonOf(members, known)?.timestamp ?? 0;
        for (const member of members.current()) {
          for (const origin of members.current())
            expect(bound).toBeLessThanOrEqual(known.get(member)?.vector.get(origin) ?? 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("passes a removed origin's records only when all members agree on it, or all have them", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { members, known } = worldOf(world);
        const bound = horizonOf(members, known)?.timestamp ?? 0;
        for (const origin of members.removed()) {
          const having = members.current().map((member) => known.get(member)?.vector.get(origin) ?? 0);
          const isSettled =
            new Set(having).size === 1 &&
            members.current().every((member) => known.get(member)?.removed.has(origin));
          expect(isSettled ? 0 : bound).toBeLessThanOrEqual(Math.min(...having));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("never goes back when a member is known to have more", () => {
    fc.assert(
      fc.property(worlds, fc.nat(3), claims, (world, which, more) => {
        const { members, known } = worldOf(world);
        const before = horizonOf(members, known)?.timestamp ?? 0;
        const member = ALL[which] ?? A;
        const old = known.get(member);
        // A removed origin may turn from agreed to disagreed only above what the horizon has passed: rule F1 keeps that
        // from happening, so only the members' own logs grow here.
        if (old === undefined || members.removed().length > 0) return;
        const vector = old.vector.clone();
        for (const [origin, at] of Object.entries(more))
          vector.advance(origin as ReplicaId, positionAt(at as Timestamp));
        const grown = new Map(known).set(member, { ...old, vector });
        expect(horizonOf(members, grown)?.timestamp ?? 0).toBeGreaterThanOrEqual(before);
      }),
      { numRuns: 300 },
    );
  });
});
