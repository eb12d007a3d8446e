/** What handlers need of the replica in this process. They add validation, limits and messages, and nothing else. */
import type { Entry, KeyText, ReplicaId, Timestamp, Version } from "@meshkv/core";

/** One write of a commit. */
export interface LocalWrite {
  readonly key: KeyText;
  /** Undefined: delete. */
  readonly value: Uint8Array | undefined;
  /** Unix milliseconds; 0: never. */
  readonly expiresAtMs: number;
  readonly condition: WriteCondition | undefined;
}

/** What must hold of the current entry on this replica. An expired entry or a tombstone counts as absent. */
export type WriteCondition =
  | { readonly kind: "version"; readonly version: Version }
  | { readonly kind: "absent" }
  | { readonly kind: "present" };

/** How far a write must have gone; `count` replicas in all, this one included. */
export type WriteConcern =
  | { readonly kind: "relaxed" }
  | { readonly kind: "replicas"; readonly count: number }
  | { readonly kind: "all" };

/** How a commit is acknowledged. */
export interface WriteOptions {
  readonly concern: WriteConcern;
  /** How long to wait for other replicas, in milliseconds; undefined: until the signal aborts. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/** A commit that was acknowledged. Both lists go with the writes, index by index. */
export interface WriteOutcome {
  readonly versions: readonly Version[];
  /** Whether there was a live entry before. */
  readonly existed: readonly boolean[];
  /** Replicas known to hold the commit durably, this one included. */
  readonly replicas: number;
}

/** Part of the key space: `start` inclusive, `end` exclusive, undefined for the ends of the space. */
export interface ListRange {
  readonly start: KeyText | undefined;
  readonly end: KeyText | undefined;
  /** From the greatest key down. */
  readonly reverse: boolean;
  /** Entries, at least 1. */
  readonly limit: number;
  /** Bytes of keys and values; at least one entry is answered if there is one. */
  readonly bytesMax: number;
}

/** The state of a replica as a whole; of several, the gravest. */
export type ReplicaState =
  | "starting"
  | "ready"
  | "rejoining"
  | "storage-full"
  | "storage-failed"
  | "clock-skew"
  | "stopping";

/** What a replica knows of itself. */
export interface StatusReport {
  readonly replicaId: ReplicaId;
  readonly meshName: string;
  readonly meshId: string;
  readonly state: ReplicaState;
  /** For people: why the state is not `ready`; else empty. */
  readonly stateReason: string;
  readonly serverVersion: string;
  readonly uptimeMs: number;
  /** An estimate. */
  readonly keys: number;
  readonly storageBytes: number;
  /** 32 hex digits. */
  readonly digest: string;
  readonly clockOffsetMs: number;
  /** 0: there is none yet. */
  readonly horizon: Timestamp;
  readonly horizonHeldBy: ReplicaId | undefined;
  /** Per origin, up to which version this replica has its writes. */
  readonly vector: readonly Version[];
}

/** How a member is seen from here. */
export type MemberState = "self" | "connected" | "unreachable" | "joining" | "removed";

/** What a replica knows of a member, itself included. Undefined: not known. */
export interface MemberReport {
  readonly replicaId: ReplicaId;
  /** `host:port`; empty when it told none. */
  readonly address: string;
  readonly state: MemberState;
  readonly lagMs: number | undefined;
  readonly lagRecords: number | undefined;
  /** Unix milliseconds; undefined: never. */
  readonly lastSeenMs: number | undefined;
  readonly holdsHorizon: boolean;
  readonly clockOffsetMs: number | undefined;
  /** The id under which a removed member came back. */
  readonly successor: ReplicaId | undefined;
}

/** The replica in this process. Every method throws `MeshkvError`, UNAVAILABLE as long as the replica serves nothing. */
export interface LocalReplica {
  readonly replicaId: ReplicaId;
  /** The wall clock in Unix milliseconds. */
  nowMs(): number;
  /** The durable entry of a key, live or not. STORAGE_FAILED when it is damaged. */
  get(key: KeyText): Entry | undefined;
  /** Live entries in the order asked for, at one durable position. `more`: the range has live entries after these. */
  list(range: ListRange): Promise<{ readonly entries: readonly Entry[]; readonly more: boolean }>;
  /**
   * One atomic commit; resolves when the concern is met. CONDITION_FAILED names in its metadata the `index` of the
   * write and the current `version` (absent when there is no live entry); CONCERN_NOT_MET carries the `version` of the
   * last write, which stays written here.
   */
  write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome>;
  status(): StatusReport;
  /** Every replica that is a member or was. */
  members(): readonly MemberReport[];
  /** MEMBER_NOT_FOUND; FORCE_REQUIRED when a member could not be asked for the leaving replica's writes. */
  removeMember(id: ReplicaId, force: boolean, signal: AbortSignal): Promise<void>;
}
