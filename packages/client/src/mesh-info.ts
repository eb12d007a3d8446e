/** The mesh as callers see it. */
import {
  durationMs,
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
  /** Whether what could be forgotten everywhere is kept because this member has not confirmed it. */
  readonly holdsHorizon: boolean;
  /** Its clock minus that of the replica that answers, in milliseconds; undefined: not known. */
  readonly clockOffsetMs: number | undefined;
  /** The id under which a removed member came back. */
  readonly successor: string | undefined;
}

/**
 * How much a replica has of the writes that one replica took.
 *
 * @example
 * ```ts
 * import { connect, type OriginPosition } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const positions: readonly OriginPosition[] = (await kv.status()).positions;
 * for (const { origin, version } of positions) console.log(`${origin}: up to ${version}`);
 * ```
 */
export interface OriginPosition {
  /** The id of the replica that took the writes. */
  readonly origin: string;
  /** Up to this version. */
  readonly version: string;
  /** When that was written, by the clock of its origin. */
  readonly time: Date | undefined;
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
  /** Equal on all members; undefined while the replica belongs to no mesh yet. */
  readonly meshId: string | undefined;
  readonly state: ReplicaState;
  /** For people: why the state is not `ready`. */
  readonly stateReason: string;
  readonly serverVersion: string;
  /** How long the server has been running, in milliseconds; undefined: not known. */
  readonly uptimeMs: number | undefined;
  /** An estimate. */
  readonly keys: number;
  readonly storageBytes: number;
  /** 32 hex digits; equal on replicas that hold the same entries. */
  readonly digest: string;
  /** This clock minus the median of the clocks of the mesh, in milliseconds. */
  readonly clockOffsetMs: number;
  /** Everything older has been applied by every member; undefined: nothing yet. */
  readonly horizonTime: Date | undefined;
  /** The id of the member that the horizon waits for; undefined: none in particular. */
  readonly horizonHeldBy: string | undefined;
  readonly positions: readonly OriginPosition[];
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
  const { replicaId, address, state, lagRecords, lagMs, lastSeen, holdsHorizon, clockOffsetMs } = message;
  return {
    replicaId,
    address,
    state: MEMBER_STATES[state] ?? "unknown",
    lagRecords: numberOf(lagRecords),
    lagMs: numberOf(lagMs),
    lastSeen: dateOf(lastSeen),
    holdsHorizon,
    clockOffsetMs: numberOf(clockOffsetMs),
    successor: message.successor || undefined,
  };
}

/** The message as callers see it. */
export function replicaStatusOf(message: StatusResponse): ReplicaStatus {
  const { replicaId, meshName, meshId, stateReason, serverVersion, uptime, digest } = message;
  return {
    replicaId,
    meshName,
    meshId: meshId || undefined,
    state: REPLICA_STATES[message.state] ?? "unknown",
    stateReason,
    serverVersion,
    uptimeMs: uptime === undefined ? undefined : durationMs(uptime),
    keys: Number(message.keys),
    storageBytes: Number(message.storageBytes),
    digest,
    clockOffsetMs: Number(message.clockOffsetMs),
    horizonTime: dateOf(message.horizonTime),
    horizonHeldBy: message.horizonHeldBy || undefined,
    positions: message.vector.map(({ origin, version, time }) => ({ origin, version, time: dateOf(time) })),
    members: message.members.map(memberInfoOf),
  };
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function dateOf(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(timestampMs(time));
}
