import { describe, expect, it } from "vitest";
import { idFromWords, type ReplicaId, type StartId } from "../ids.ts";
import { MemberSet, type Succession } from "../member-set.ts";
import { type Position, positionAt } from "../position.ts";
import { VersionVector } from "../version-vector.ts";
import { isCovered } from "./coverage.ts";

const [A, B, C] = [1, 2, 3].map((number) => idFromWords(0, number)) as [ReplicaId, ReplicaId, ReplicaId];
const [S1, S2] = [1, 2].map((number) => idFromWords(9, number)) as [StartId, StartId];
const NO_MEMBERS = new MemberSet();

function vector(positions: Readonly<Record<ReplicaId, number | Position>>): VersionVector {
  return new VersionVector(
    Object.entries(positions).map(([origin, at]) => [
      origin as ReplicaId,
      typeof at === "number" ? positionAt(at) : at,
    ]),
  );
}

/** A position; the start may have followed a first one. */
function at(timestamp: number, start: StartId, recovered: number, first?: StartId): Position {
  const position = { timestamp, start, recovered };
  return first === undefined ? position : { ...position, earlier: [{ id: first, recovered: 0 }] };
}

describe("isCovered", () => {
  const write = { origin: A, timestamp: 10 };

  it("asks the vector, as long as there is one branch", () => {
    expect(isCovered(write, vector({ [A]: 10 }), NO_MEMBERS, new Map())).toBe(true);
    expect(isCovered(write, vector({ [A]: 9 }), NO_MEMBERS, new Map())).toBe(false);
    expect(isCovered(write, vector({}), NO_MEMBERS, new Map())).toBe(false);
  });

  it("believes the vector only up to where two branches part", () => {
    const far = vector({ [A]: at(100, S2, 9, S1) });
    expect(isCovered(write, far, NO_MEMBERS, new Map([[A, at(20, S1, 0)]]))).toBe(false);
    expect(isCovered({ origin: A, timestamp: 9 }, far, NO_MEMBERS, new Map([[A, at(20, S1, 0)]]))).toBe(true);
    expect(isCovered(write, far, NO_MEMBERS, new Map([[A, at(50, S2, 9, S1)]]))).toBe(true);
    expect(isCovered(write, vector({ [A]: 8 }), NO_MEMBERS, new Map([[A, at(50, S2, 9, S1)]]))).toBe(false);
    expect(isCovered(write, far, NO_MEMBERS, new Map([[B, at(20, S1, 0)]]))).toBe(true);
  });

  it("takes a position of unknown start for one branch with every other", () => {
    expect(isCovered(write, vector({ [A]: 100 }), NO_MEMBERS, new Map([[A, at(20, S1, 0)]]))).toBe(true);
  });

  it("counts what was offered and adopted in a rejoin, once the adopter's log is here that far", () => {
    const succession: Succession = {
      successor: C,
      adopter: B,
      adoptedAt: 50,
      offered: vector({ [A]: 10 }),
      held: vector({ [B]: 50 }),
    };
    const members = NO_MEMBERS.without(A, succession);
    expect(isCovered(write, vector({ [B]: 50 }), members, new Map())).toBe(true);
    expect(isCovered(write, vector({ [B]: 49 }), members, new Map())).toBe(false);
    expect(isCovered({ origin: A, timestamp: 11 }, vector({ [B]: 50 }), members, new Map())).toBe(false);
  });

  it("does not count an offer while something is missing that the adopter had then", () => {
    const held = vector({ [B]: 50, [C]: 30 });
    const members = NO_MEMBERS.without(A, {
      successor: C,
      adopter: B,
      adoptedAt: 50,
      offered: vector({ [A]: 10 }),
      held,
    });
    expect(isCovered(write, vector({ [B]: 50, [C]: 29 }), members, new Map())).toBe(false);
    expect(isCovered(write, vector({ [B]: 50, [C]: 30 }), members, new Map())).toBe(true);
  });

  it("does not count an offer that a copy of the directory made of its own writes", () => {
    const succession: Succession = {
      successor: C,
      adopter: B,
      adoptedAt: 50,
      offered: vector({ [A]: at(30, S2, 5, S1) }),
      held: vector({ [B]: 50 }),
    };
    const members = NO_MEMBERS.without(A, succession);
    expect(isCovered(write, vector({ [B]: 50 }), members, new Map([[A, at(20, S1, 0)]]))).toBe(false);
    expect(isCovered(write, vector({ [B]: 50 }), members, new Map([[A, at(20, S2, 5, S1)]]))).toBe(true);
  });
});
