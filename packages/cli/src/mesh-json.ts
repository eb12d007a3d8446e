/** What a replica tells about the mesh, in the JSON form of protocol buffers: what other tools of theirs can read. */
import type { MemberInfo, ReplicaStatus } from "@meshkv/client";
import {
  create,
  durationFromMs,
  type Member,
  Member_State,
  MemberSchema,
  StatusResponse_State,
  StatusResponseSchema,
  type Timestamp,
  timestampFromMs,
  toJson,
} from "@meshkv/protocol";

const EVERYTHING = { alwaysEmitImplicit: true } as const;

const MEMBER_STATES: Readonly<Record<MemberInfo["state"], Member_State>> = {
  self: Member_State.SELF,
  connected: Member_State.CONNECTED,
  unreachable: Member_State.UNREACHABLE,
  joining: Member_State.JOINING,
  removed: Member_State.REMOVED,
  unknown: Member_State.UNSPECIFIED,
};

const REPLICA_STATES: Readonly<Record<ReplicaStatus["state"], StatusResponse_State>> = {
  starting: StatusResponse_State.STARTING,
  ready: StatusResponse_State.READY,
  rejoining: StatusResponse_State.REJOINING,
  "storage-full": StatusResponse_State.STORAGE_FULL,
  "storage-failed": StatusResponse_State.STORAGE_FAILED,
  "clock-skew": StatusResponse_State.CLOCK_SKEW,
  stopping: StatusResponse_State.STOPPING,
  unknown: StatusResponse_State.UNSPECIFIED,
};

/** A member as the JSON of `meshkv.v1.Member`. */
export function memberToJson(member: MemberInfo): unknown {
  return toJson(MemberSchema, memberMessage(member), EVERYTHING);
}

/** A status as the JSON of `meshkv.v1.StatusResponse`. */
export function statusToJson(status: ReplicaStatus): unknown {
  const { state, meshId = "", uptimeMs, keys, storageBytes, clockOffsetMs } = status;
  const { horizonTime, horizonHeldBy = "", positions, members, ...same } = status;
  const message = create(StatusResponseSchema, {
    ...same,
    meshId,
    horizonHeldBy,
    state: REPLICA_STATES[state],
    keys: BigInt(keys),
    storageBytes: BigInt(storageBytes),
    clockOffsetMs: BigInt(clockOffsetMs),
    vector: positions.map(({ origin, version, time }) => ({ origin, version, ...timeAs("time", time) })),
    members: members.map(memberMessage),
    ...(uptimeMs === undefined ? {} : { uptime: durationFromMs(uptimeMs) }),
    ...timeAs("horizonTime", horizonTime),
  });
  return toJson(StatusResponseSchema, message, EVERYTHING);
}

function memberMessage(member: MemberInfo): Member {
  const { replicaId, address, state, lagMs, lagRecords, lastSeen, holdsHorizon, clockOffsetMs } = member;
  return create(MemberSchema, {
    replicaId,
    address,
    holdsHorizon,
    successor: member.successor ?? "",
    state: MEMBER_STATES[state],
    ...(lagMs === undefined ? {} : { lagMs: BigInt(lagMs) }),
    ...(lagRecords === undefined ? {} : { lagRecords: BigInt(lagRecords) }),
    ...(clockOffsetMs === undefined ? {} : { clockOffsetMs: BigInt(clockOffsetMs) }),
    ...timeAs("lastSeen", lastSeen),
  });
}

function timeAs<Name extends string>(
  name: Name,
  time: Date | undefined,
): { readonly [Property in Name]?: Timestamp } {
  return time === undefined
    ? {}
    : ({ [name]: timestampFromMs(time.getTime()) } as { readonly [Property in Name]?: Timestamp });
}
