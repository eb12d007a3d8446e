/** Hellos of replicas, and what both sides of a meeting say to them. */
import { idFromWords, type ReplicaId, type StartId } from "../src/ids.ts";
import { MemberSet } from "../src/member-set.ts";
import { type Position, positionAt } from "../src/position.ts";
import type { Start } from "../src/replica/state.ts";
import { judge, type Verdict } from "../src/session/handshake.ts";
import { type Hello, PROTOCOL_MAX, PROTOCOL_MIN } from "../src/session/messages.ts";
import { EPOCH_MS, timestampFromMs } from "../src/timestamp.ts";
import { VersionVector } from "../src/version-vector.ts";

export const DRIFT_MS = 60_000;
export const NOW_MS = EPOCH_MS + 1_000_000;
export const [A, B, C, D] = [1, 2, 3, 4].map((number) => idFromWords(0, number)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];
export const [S1, S2, S3, S4] = [1, 2, 3, 4].map((number) => idFromWords(9, number)) as [
  StartId,
  StartId,
  StartId,
  StartId,
];
export const MESH = { name: "default", createdAt: 5, founder: A };

export function memberSet(current: readonly ReplicaId[], removed: readonly ReplicaId[] = []): MemberSet {
  const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
  return new MemberSet([
    ...current.map((id) => [id, member] as const),
    ...removed.map((id) => [id, { ...member, removed: true }] as const),
  ]);
}

export function vector(positions: Readonly<Record<ReplicaId, number | Position>>): VersionVector {
  return new VersionVector(
    Object.entries(positions).map(([origin, at]) => [
      origin as ReplicaId,
      typeof at === "number" ? positionAt(at) : at,
    ]),
  );
}

export function starts(...all: readonly [StartId, number][]): Start[] {
  return all.map(([id, recovered]) => ({ id, recovered }));
}

export function hello(replicaId: ReplicaId, changes: Partial<Hello> = {}): Hello {
  const own = replicaId === A ? S1 : S2;
  return {
    kind: "hello",
    protocolMin: PROTOCOL_MIN,
    protocolMax: PROTOCOL_MAX,
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
export function verdicts(a: Hello, b: Hello): [string, string] {
  const say = (verdict: Verdict): string =>
    "code" in verdict ? `${verdict.kind} ${verdict.code}` : verdict.kind;
  return [say(judge(a, b, DRIFT_MS)), say(judge(b, a, DRIFT_MS))];
}
