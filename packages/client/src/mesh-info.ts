/** The mesh as callers see it. */
import {
  type Member,
  Member_State,
  type StatusResponse,
  StatusResponse_State,
  type Timestamp,
  timestampMs,
} from "@meshkv/protocol";
import type { CallOptions } from "./call-options.ts";

/**
 * What removing a member takes.
 *
 * @example
 * ```ts
 * import type { RemoveMemberOptions } from "@meshkv/client";
 * const anyway: RemoveMemberOptions = { force: true };
 * console.log(anyway);
 * ```
 */
export interface RemoveMemberOptions extends CallOptions {
  /** Goes on when some member cannot be asked for the leaving replica's writes. */
  readonly force?: boolean | undefined;
}

/**
 * How a member is, as the replica that answers sees it.
 *
 * @example
 * ```ts
 * import { connect, type MemberState } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const fine: MemberState[] = ["self", "connected"];
 * console.log((await kv.members()).every(({ state }) => fine.includes(state)));
 * ```
 */
export type MemberState = "self" | "connected" | "unreachable" | "joining" | "removed" | "unknown";

/**
 * One member of the mesh.
 *
 * @example
 * ```ts
 * import { connect, type MemberInfo } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const members: MemberInfo[] = await kv.members();
 * console.log(members.filter(({ state }) => state === "unreachable"));
 * ```
 */
export interface MemberInfo {
  readonly replicaId: string;
  /** `host:port`. */
  readonly address: string;
  readonly state: MemberState;
  /** Writes of the replica that answers that the member lacks; undefined: not known. */
  readonly lagRecords: number | undefined;
  /** The age of the oldest of them, in milliseconds; undefined: not known. */
  readonly lagMs: number | undefined;
  readonly lastSeen: Date | undefined;
  /** The id under which a removed member came back. */
  readonly successor: string | undefined;
}

/**
 * How a replica is.
 *
 * @example
 * ```ts
 * import { connect, type ReplicaState } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const state: ReplicaState = (await kv.status()).state;
 * console.log(state);
 * ```
 */
export type ReplicaState =
  | "starting"
  | "ready"
  | "rejoining"
  | "storage-full"
  | "storage-failed"
  | "clock-skew"
  | "stopping"
  | "unknown";

/**
 * What one replica knows of itself and of the mesh.
 *
 * @example
 * ```ts
 * import { connect, type ReplicaStatus } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const status: ReplicaStatus = await kv.status();
 * console.log(`${status.meshName}: about ${status.keys} keys, digest ${status.digest}`);
 * ```
 */
export interface ReplicaStatus {
  readonly replicaId: string;
  readonly meshName: string;
  readonly state: ReplicaState;
  /** For people: why the state is not `ready`. */
  readonly stateReason: string;
  readonly serverVersion: string;
  /** An estimate. */
  readonly keys: number;
  readonly storageBytes: number;
  /** 32 hex digits; equal on replicas that hold the same entries. */
  readonly digest: string;
  readonly members: readonly MemberInfo[];
}

const MEMBER_STATES: Readonly<Record<number, MemberState>> = {
  [Member_State.SELF]: "self",
  [Member_State.CONNECTED]: "connected",
  [Member_State.UNREACHABLE]: "unreachable",
  [Member_State.JOINING]: "joining",
  [Member_State.REMOVED]: "removed",
};

const REPLICA_STATES: Readonly<Record<number, ReplicaState>> = {
  [StatusResponse_State.STARTING]: "starting",
  [StatusResponse_State.READY]: "ready",
  [StatusResponse_State.REJOINING]: "rejoining",
  [StatusResponse_State.STORAGE_FULL]: "storage-full",
  [StatusResponse_State.STORAGE_FAILED]: "storage-failed",
  [StatusResponse_State.CLOCK_SKEW]: "clock-skew",
  [StatusResponse_State.STOPPING]: "stopping",
};

/** The message as callers see it. */
export function memberInfoOf(message: Member): MemberInfo {
  const { replicaId, address, state, lagRecords, lagMs, lastSeen, successor } = message;
  return {
    replicaId,
    address,
    state: MEMBER_STATES[state] ?? "unknown",
    lagRecords: lagRecords === undefined ? undefined : Number(lagRecords),
    lagMs: lagMs === undefined ? undefined : Number(lagMs),
    lastSeen: dateOf(lastSeen),
    successor: successor === "" ? undefined : successor,
  };
}

/** The message as callers see it. */
export function replicaStatusOf(message: StatusResponse): ReplicaStatus {
  const { replicaId, meshName, stateReason, serverVersion, digest } = message;
  return {
    replicaId,
    meshName,
    state: REPLICA_STATES[message.state] ?? "unknown",
    stateReason,
    serverVersion,
    keys: Number(message.keys),
    storageBytes: Number(message.storageBytes),
    digest,
    members: message.members.map(memberInfoOf),
  };
}

function dateOf(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(timestampMs(time));
}
