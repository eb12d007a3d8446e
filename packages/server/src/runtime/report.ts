/** What a run tells of itself and of its members. */
import type { MeshId, MeshkvError } from "@meshkv/core";
import type { MemberReport, MemberState, ReplicaState, StatusReport } from "../handlers/local-replica.ts";
import type { Run } from "./run.ts";

/** What the run itself does not know. */
export interface StatusFacts {
  readonly startedAtMs: number;
  readonly serverVersion: string;
  readonly storageBytes: number;
  readonly failure: MeshkvError | undefined;
}

/** A mesh's id as a text. */
export function meshIdOf({ createdAt, founder }: MeshId): string {
  return `${createdAt.toString(16)}-${founder}`;
}

/** The state of the replica as a whole. */
export function describeStatus(run: Run, facts: StatusFacts): StatusReport {
  const { host } = run;
  const { replica, peering } = host.active;
  const { mesh } = replica.identity;
  const { state, reason } = stateOf(run, facts.failure);
  return {
    replicaId: replica.id,
    meshName: mesh.name,
    meshId: meshIdOf(mesh),
    state,
    stateReason: reason,
    serverVersion: facts.serverVersion,
    uptimeMs: Date.now() - facts.startedAtMs,
    keys: replica.liveKeys,
    storageBytes: facts.storageBytes,
    digest: replica.durableDigest.summary(),
    clockOffsetMs: -medianOf(peering.wallOffsets()),
    horizon: replica.horizon,
    horizonHeldBy: peering.horizonBound?.heldBy,
    vector: [...replica.durableVector.entries()].map(([origin, { timestamp }]) => ({ origin, timestamp })),
  };
}

function stateOf(
  { host, database }: Run,
  failure: MeshkvError | undefined,
): { state: ReplicaState; reason: string } {
  if (failure?.code === "STORAGE_FULL") return { state: "storage-full", reason: failure.message };
  if (failure !== undefined) return { state: "storage-failed", reason: failure.message };
  if (database.isFull) return { state: "storage-full", reason: "free space is below the floor" };
  if (host.active.peering.isClockOff())
    return { state: "clock-skew", reason: "this clock is off its peers'" };
  if (host.rejoin !== undefined)
    return { state: "rejoining", reason: `through ${host.rejoin.address}: ${host.rejoin.phase}` };
  return { state: "ready", reason: "" };
}

/** Every replica that is a member or was. */
export function describeMembers({ host }: Run, nowMs: number): MemberReport[] {
  const { replica, peering } = host.active;
  const heldBy = peering.horizonBound?.heldBy;
  return [...replica.members.entries()].map(([id, member]): MemberReport => {
    const session = peering.sessions.find((s) => s.mode === "streaming" && s.peer === id);
    const isSelf = id === replica.id;
    const known = peering.knowledgeOf(id);
    const state: MemberState = isSelf
      ? "self"
      : member.removed
        ? "removed"
        : session !== undefined
          ? "connected"
          : known === undefined && peering.sessions.some((s) => s.mode === "source" && s.peer === id)
            ? "joining"
            : "unreachable";
    const lag =
      isSelf || member.removed || known === undefined
        ? undefined
        : replica.lagOf(known.vector.get(replica.id), nowMs);
    return {
      replicaId: id,
      address: member.address,
      state,
      lagMs: isSelf ? 0 : lag?.ms,
      lagRecords: isSelf ? 0 : lag?.records,
      lastSeenMs: isSelf ? nowMs : session?.lastHeardMs,
      holdsHorizon: !member.removed && heldBy === id,
      clockOffsetMs: session?.wallOffsetMs,
      successor: member.succession?.successor,
    };
  });
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
