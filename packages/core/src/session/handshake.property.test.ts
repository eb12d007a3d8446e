import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idFromWords, type ReplicaId, type StartId, UNKNOWN_START } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { type Position, positionAt } from "../position.ts";
import type { Start } from "../replica/state.ts";
import { EPOCH_MS, timestampFromMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import { judge, type Verdict } from "./handshake.ts";
import type { Hello } from "./messages.ts";

const DRIFT_MS = 60_000;
const NOW_MS = EPOCH_MS + 1_000_000;
const [A, B, C] = [1, 2, 3].map((number) => idFromWords(0, number)) as [ReplicaId, ReplicaId, ReplicaId];
const [S1, S2, S3, S4] = [1, 2, 3, 4].map((number) => idFromWords(9, number)) as [
  StartId,
  StartId,
  StartId,
  StartId,
];
const MESH = { name: "default", createdAt: 5, founder: A };

function memberSet(current: readonly ReplicaId[], removed: readonly ReplicaId[] = []): MemberSet {
  const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
  return new MemberSet([
    ...current.map((id) => [id, member] as const),
    ...removed.map((id) => [id, { ...member, removed: true }] as const),
  ]);
}

function vector(positions: Readonly<Record<ReplicaId, number | Position>>): VersionVector {
  return new VersionVector(
    Object.entries(positions).map(([origin, at]) => [
      origin as ReplicaId,
      typeof at === "number" ? positionAt(at) : at,
    ]),
  );
}

function starts(...all: readonly [StartId, number][]): Start[] {
  return all.map(([id, recovered]) => ({ id, recovered }));
}

function hello(replicaId: ReplicaId, changes: Partial<Hello> = {}): Hello {
  const own = replicaId === A ? S1 : S2;
  return {
    kind: "hello",
    protocolMin: 1,
    protocolMax: 1,
    mesh: MESH,
    replicaId,
    starts: starts([own, 0]),
    state: "ready",
    invited: false,
    address: "",
    wallMs: NOW_MS,
    clock: timestampFromMs(NOW_MS),
    members: memberSet([A, B]),
    vector: vector({ [replicaId]: { timestamp: 100, start: own, recovered: 0 } }),
    horizon: 0,
    floors: new Map(),
    ...changes,
  };
}

/** What both sides say: kind and code. */
function verdicts(a: Hello, b: Hello): [string, string] {
  const say = (verdict: Verdict): string =>
    "code" in verdict ? `${verdict.kind} ${verdict.code}` : verdict.kind;
  return [say(judge(a, b, DRIFT_MS)), say(judge(b, a, DRIFT_MS))];
}

describe("any meeting of two ready replicas", () => {
  const timestamp = fc.nat({ max: 6 });
  const position = fc.record({
    timestamp,
    start: fc.constantFrom(UNKNOWN_START, S1, S2, S3, S4),
    recovered: timestamp,
  });
  const someMembers = fc
    .tuple(fc.subarray([A, B, C]), fc.subarray([A, B, C]))
    .map(([all, gone]) => memberSet(all, gone));
  const someHello = (id: ReplicaId) =>
    fc
      .record({
        members: someMembers,
        vector: fc.tuple(position, position, position).map(([a, b, c]) => vector({ [A]: a, [B]: b, [C]: c })),
        floors: fc.tuple(timestamp, timestamp).map(
          ([a, c]) =>
            new Map([
              [A, a],
              [C, c],
            ]),
        ),
        starts: fc
          .uniqueArray(fc.constantFrom(S1, S2, S3), { minLength: 1 })
          .map((all) => starts(...all.map((s, i) => [s, i * 2] as [StartId, number]))),
        invited: fc.boolean(),
        mesh: fc.constantFrom(MESH, { ...MESH, createdAt: 6 }, { ...MESH, founder: B }),
        clock: fc.constantFrom(timestampFromMs(NOW_MS), timestampFromMs(NOW_MS + 2 * DRIFT_MS)),
      })
      .map((changes) => hello(id, changes));

  it("is judged alike by both: they stream, or one of them moves, or both part", () => {
    fc.assert(
      fc.property(someHello(A), fc.constantFrom(A, B).chain(someHello), (a, b) => {
        const kinds = verdicts(a, b).map((said) => said.split(" ")[0]);
        const legal = ["stream stream", "self self", "refuse refuse", "refuse rejoin"];
        expect(legal).toContain(kinds.toSorted((x = "", y = "") => (x < y ? -1 : 1)).join(" "));
      }),
      { numRuns: 500 },
    );
  });
});
