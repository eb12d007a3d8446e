/** meshkv.v1.Mesh as plain functions from request to reply. */
import { formatVersion, timestampToMs } from "@meshkv/core";
import {
  durationFromMs,
  type ListMembersRequest,
  type ListMembersResponseSchema,
  Member_State,
  type MemberSchema,
  type MessageInitShape,
  type RemoveMemberRequest,
  type RemoveMemberResponseSchema,
  type StatusRequest,
  StatusResponse_State,
  type StatusResponseSchema,
  timestampFromMs,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import type { LocalReplica, MemberReport, MemberState, ReplicaState } from "./local-replica.ts";
import { requireReplicaId } from "./validate.ts";

const STATE: Readonly<Record<ReplicaState, StatusResponse_State>> = {
  starting: StatusResponse_State.STARTING,
  ready: StatusResponse_State.READY,
  rejoining: StatusResponse_State.REJOINING,
  "storage-full": StatusResponse_State.STORAGE_FULL,
  "storage-failed": StatusResponse_State.STORAGE_FAILED,
  "clock-skew": StatusResponse_State.CLOCK_SKEW,
  stopping: StatusResponse_State.STOPPING,
};

const MEMBER_STATE: Readonly<Record<MemberState, Member_State>> = {
  self: Member_State.SELF,
  connected: Member_State.CONNECTED,
  unreachable: Member_State.UNREACHABLE,
  joining: Member_State.JOINING,
  removed: Member_State.REMOVED,
};

/** Answers the calls of `meshkv.v1.Mesh`. */
export class MeshHandlers {
  readonly #replica: LocalReplica;

  constructor(replica: LocalReplica) {
    this.#replica = replica;
  }

  /** What this replica knows of itself and of the others. */
  status(_request: StatusRequest): MessageInitShape<typeof StatusResponseSchema> {
    const report = this.#replica.status();
    const reply: MessageInitShape<typeof StatusResponseSchema> = {
      replicaId: report.replicaId,
      meshName: report.meshName,
      meshId: report.meshId,
      state: STATE[report.state],
      stateReason: report.stateReason,
      serverVersion: report.serverVersion,
      uptime: durationFromMs(Math.round(report.uptimeMs)),
      keys: wholeNumber(report.keys),
      storageBytes: wholeNumber(report.storageBytes),
      digest: report.digest,
      clockOffsetMs: wholeNumber(report.clockOffsetMs),
      horizonHeldBy: report.horizonHeldBy ?? "",
      vector: report.vector.map((version) => ({
        origin: version.origin,
        version: formatVersion(version),
        time: timestampFromMs(timestampToMs(version.timestamp)),
      })),
      members: this.#members(),
    };
    if (report.horizon > 0) reply.horizonTime = timestampFromMs(timestampToMs(report.horizon));
    return reply;
  }

  /** Every replica that is a member or was. */
  listMembers(_request: ListMembersRequest): MessageInitShape<typeof ListMembersResponseSchema> {
    return { members: this.#members() };
  }

  /** Removes a member for good. */
  async removeMember(
    request: RemoveMemberRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof RemoveMemberResponseSchema>> {
    const id = requireReplicaId(request.replicaId);
    call.signal.throwIfAborted();
    await this.#replica.removeMember(id, request.force, call.signal);
    return {};
  }

  #members(): MessageInitShape<typeof MemberSchema>[] {
    const reports = [...this.#replica.members()];
    reports.sort((a, b) => orderOf(a) - orderOf(b) || (a.replicaId < b.replicaId ? -1 : 1));
    return reports.map(memberMessage);
  }
}

/** This replica, then the others, removed ones last. */
function orderOf({ state }: MemberReport): number {
  return state === "self" ? 0 : state === "removed" ? 2 : 1;
}

function memberMessage(report: MemberReport): MessageInitShape<typeof MemberSchema> {
  const message: MessageInitShape<typeof MemberSchema> = {
    replicaId: report.replicaId,
    address: report.address,
    state: MEMBER_STATE[report.state],
    holdsHorizon: report.holdsHorizon,
    successor: report.successor ?? "",
  };
  if (report.lagMs !== undefined) message.lagMs = wholeNumber(report.lagMs);
  if (report.lagRecords !== undefined) message.lagRecords = wholeNumber(report.lagRecords);
  if (report.lastSeenMs !== undefined) message.lastSeen = timestampFromMs(Math.round(report.lastSeenMs));
  if (report.clockOffsetMs !== undefined) message.clockOffsetMs = wholeNumber(report.clockOffsetMs);
  return message;
}

function wholeNumber(value: number): bigint {
  return BigInt(Math.round(value));
}
