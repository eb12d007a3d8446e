import { describe, expect, it } from "vitest";
import { idFromWords, type ReplicaId, type StartId, UNKNOWN_START } from "../ids.ts";
import { MemberSet, type Succession } from "../member-set.ts";
import { type Position, positionAt } from "../position.ts";
import type { Start } from "../replica/state.ts";
import { VersionVector } from "../version-vector.ts";
import { findForks, isCovered } from "./coverage.ts";

const [A, B, C] = [1, 2, 3].map((number) => idFromWords(0, number)) as [ReplicaId, ReplicaId, ReplicaId];
const [S1, S2, S3] = [1, 2, 3].map((number) => idFromWords(9, number)) as [StartId, StartId, StartId];
const NO_MEMBERS = new MemberSet();

function vector(positions: Readonly<Record<ReplicaId, number | Position>>): VersionVector {
  return new VersionVector(
    Object.entries(positions).map(([origin, at]) => [
      origin as ReplicaId,
      typeof at === "number" ? positionAt(at) : at,
    ]),
  );
}

function at(timestamp: number, start: StartId, recovered: number): Position {
  return { timestamp, start, recovered };
}

describe("isCovered", () => {
  const write = { origin: A, timestamp: 10 };

  it("asks the vector, as long as there is one branch", () => {
    expect(isCovered(write, vector({ [A]: 10 }), NO_MEMBERS, new Map())).toBe(true);
    expect(isCovered(write, vector({ [A]: 9 }), NO_MEMBERS, new Map())).toBe(false);
    expect(isCovered(write, vector({}), NO_MEMBERS, new Map())).toBe(false);
  });

  it("believes the vector only up to where two branches part", () => {
    const far = vector({ [A]: 100 });
    expect(isCovered(write, far, NO_MEMBERS, new Map([[A, 10]]))).toBe(true);
    expect(isCovered(write, far, NO_MEMBERS, new Map([[A, 9]]))).toBe(false);
    expect(isCovered(write, vector({ [A]: 8 }), NO_MEMBERS, new Map([[A, 50]]))).toBe(false);
    expect(isCovered(write, far, NO_MEMBERS, new Map([[B, 9]]))).toBe(true);
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

  it("does not count an offer of the other branch", () => {
    const succession: Succession = {
      successor: C,
      adopter: B,
      adoptedAt: 50,
      offered: vector({ [A]: 10 }),
      held: vector({ [B]: 50 }),
    };
    const members = NO_MEMBERS.without(A, succession);
    expect(isCovered(write, vector({ [B]: 50 }), members, new Map([[A, 5]]))).toBe(false);
  });
});

describe("findForks of another origin", () => {
  const starts: readonly Start[] = [{ id: S1, recovered: 0, confirmed: true }];

  it("finds none where one position continues the other", () => {
    const mine = vector({ [B]: at(20, S2, 10) });
    expect(findForks(A, starts, mine, vector({ [B]: at(30, S3, 20) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({ [B]: at(10, S1, 0) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({ [B]: at(15, S2, 10) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({})).size).toBe(0);
  });

  it("finds the last common write where neither start knew of the other's", () => {
    const mine = vector({ [B]: at(20, S2, 10) });
    const theirs = vector({ [B]: at(30, S3, 12) });
    expect([...findForks(A, starts, mine, theirs)]).toEqual([[B, 10]]);
  });

  it("takes an unknown start for one branch with every other", () => {
    const mine = vector({ [B]: at(20, S2, 10) });
    expect(findForks(A, starts, mine, vector({ [B]: at(30, UNKNOWN_START, 0) })).size).toBe(0);
  });
});

describe("findForks of a replica's own log", () => {
  // Start 1 wrote up to 10, start 2 up to 20, start 3 is at 25.
  const starts: readonly Start[] = [
    { id: S1, recovered: 0, confirmed: true },
    { id: S2, recovered: 10, confirmed: true },
    { id: S3, recovered: 20, confirmed: false },
  ];
  const mine = vector({ [A]: at(25, S3, 20) });

  it("finds none while the mesh is only late", () => {
    expect(findForks(A, starts, mine, vector({ [A]: at(25, S3, 20) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({ [A]: at(22, S3, 20) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({ [A]: at(20, S2, 10) })).size).toBe(0);
    expect(findForks(A, starts, mine, vector({ [A]: at(7, S1, 0) })).size).toBe(0);
  });

  it("sees a restored directory: a start that it knows went on further than it recovered", () => {
    const theirs = vector({ [A]: at(30, S2, 10) });
    expect([...findForks(A, starts, mine, theirs)]).toEqual([[A, 20]]);
  });

  it("sees a cloned directory: a start that it does not know left it after the last one that peers had seen", () => {
    const stranger = idFromWords(9, 99) as StartId;
    const theirs = vector({ [A]: at(40, stranger, 20) });
    expect([...findForks(A, starts, mine, theirs)]).toEqual([[A, 20]]);
  });

  it("takes nothing for common where peers had seen no start at all", () => {
    const unconfirmed = starts.map((start) => ({ ...start, confirmed: false }));
    const theirs = vector({ [A]: at(40, idFromWords(9, 99) as StartId, 20) });
    expect([...findForks(A, unconfirmed, mine, theirs)]).toEqual([[A, 0]]);
  });

  it("believes a position of unknown start that this directory may have reached, and no further one", () => {
    expect(findForks(A, starts, mine, vector({ [A]: positionAt(22) })).size).toBe(0);
    expect([...findForks(A, starts, mine, vector({ [A]: positionAt(30) }))]).toEqual([[A, 20]]);
  });
});
