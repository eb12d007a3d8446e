/** What handlers need of the replica in this process. They add validation, limits and messages, and nothing else. */
import type {
  Entry,
  KeyText,
  ReplicaId,
  ReplicaStanding,
  SessionToken,
  Timestamp,
  Version,
  WatchEvent,
  WatchTarget,
  WriteRecord,
} from "@meshkv/core";
import type { CallInfo } from "./call-info.ts";

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
export interface AckOptions {
  readonly concern: WriteConcern;
  /** How long to wait for other replicas, in milliseconds; undefined: until the call ends. */
  readonly timeoutMs: number | undefined;
  /** Who waits. Its signal is asked for only when there is something to wait for. */
  readonly call: WaitingCall | undefined;
}

/** What of a call concerns those who wait for its sake. */
export type WaitingCall = Pick<CallInfo, "signal">;

/** How a commit is made and acknowledged. */
export interface WriteOptions extends AckOptions {
  readonly call: WaitingCall;
  /** The same mark again gets the first outcome, and nothing is written. */
  readonly request?: RequestMark | undefined;
}

/** The name that a caller gave to a write, and what the write was. */
export interface RequestMark {
  /** 1 to 64 characters. */
  readonly id: string;
  /** Checksum of what was asked for: another one under the same id is a mistake. */
  readonly content: number;
}

/** A commit that was accepted. Both lists go with the writes, index by index. */
export interface CommitTicket {
  readonly versions: readonly Version[];
  /** Whether there was a live entry before. */
  readonly existed: readonly boolean[];
  /** Resolves when the commit is durable here; rejects with a `MeshkvError` when that is not sure. */
  readonly durable: Promise<void>;
  /** No crash can make these versions name other writes, so a relaxed commit may be acknowledged now (rule W4). */
  readonly isNamed: boolean;
}

/** Several commits, one after the other, that share one commit group. */
export interface WriteTurn {
  /** Accepts one atomic commit. Throws as {@link LocalReplica.write}; nothing of it is written then. */
  commit(writes: readonly LocalWrite[], request: RequestMark | undefined): CommitTicket;
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

/** A losing put that is kept. */
export interface KeptLoser {
  readonly record: WriteRecord;
  /** A later write has seen it. */
  readonly isSettled: boolean;
}

/** A key with kept losers. */
export interface KeyConflicts {
  readonly key: KeyText;
  /** The key's entry now; undefined when there is none: its losers are all settled then. */
  readonly entry: Entry | undefined;
  /** Unsettled ones first, each kind newest first; as many as a page holds, at least one. */
  readonly losers: readonly KeptLoser[];
}

/** Which conflicts to list, in key order. */
export interface ConflictRange {
  readonly start: KeyText | undefined;
  readonly end: KeyText | undefined;
  /** Keys, at least 1. */
  readonly limit: number;
  /** Bytes of keys and values; at least one key is answered if there is one. */
  readonly bytesMax: number;
  /** Also keys and losers that were settled, as far as this replica has met them before they were. */
  readonly withSettled: boolean;
}

/** What is to be watched, and from where on. */
export interface LocalWatchRequest {
  readonly target: WatchTarget;
  /** A token's bytes; undefined: from now on. */
  readonly resume: Uint8Array | undefined;
  /** Without `resume`: the current state first. */
  readonly initial: boolean;
  /** Whether values that were replaced are wanted: they count in the size of a page. */
  readonly previous: boolean;
}

/** Events that are told together. */
export interface WatchPage {
  readonly events: readonly WatchEvent[];
  /** The current state has been told whole; what follows is live. Said once. */
  readonly synced: boolean;
}

/** Is told once, perhaps at once; not after the watch was closed. */
export interface WatchAsker {
  take(page: WatchPage): void;
  fail(error: unknown): void;
}

/** One watcher. Ask for one page after the other. */
export interface LocalWatch {
  /**
   * The next page; an empty one when there was nothing for `idleMs`: with 0, it is only settled whether the watch can go
   * on from its token. Fails with RESUME_TOO_OLD, with SESSION_NOT_MET when this replica lacks what was told elsewhere and
   * does not get it within seconds, with UNAVAILABLE, or the signal's reason.
   */
  ask(signal: AbortSignal, idleMs: number, asker: WatchAsker): void;
  /** Where to go on after all pages that were taken, on any replica. */
  token(): Uint8Array;
  /** Nobody asks any more. */
  close(): void;
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
  /**
   * Live entries in the order asked for, at one durable position. `more`: the range has live entries after these.
   * @param seen is told what was shown: the entries, and what is absent between them
   */
  list(
    range: ListRange,
    seen?: SessionToken,
  ): Promise<{ readonly entries: readonly Entry[]; readonly more: boolean }>;
  /**
   * One atomic commit; resolves when the concern is met. CONDITION_FAILED names in its metadata the `index` of the
   * write and the current `version` (absent when there is no live entry); CONCERN_NOT_MET carries the `version` of the
   * last write, which stays written here.
   */
  write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome>;
  /**
   * Runs work that makes commits, all in one group. Returns undefined, and does not run it, while writes have to wait:
   * `write` waits. Throws where writes are refused.
   */
  writeTurn<Result extends object>(work: (turn: WriteTurn) => Result): Result | undefined;
  /** Resolves when the concern of a commit is met. Rejects as {@link LocalReplica.write}. */
  acknowledge(ticket: CommitTicket, options: AckOptions): Promise<WriteOutcome>;
  /** Name of the mesh. */
  readonly meshName: string;
  /** How far the replica is, for sessions. It changes in place: look at it, and do not keep it. */
  readonly standing: ReplicaStanding;
  /** Resolves once the condition holds; asked again when the replica has moved. Rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void>;
  /** Keys with losers whose deadline has not passed. `more`: the range has others after these. */
  conflicts(
    range: ConflictRange,
  ): Promise<{ readonly found: readonly KeyConflicts[]; readonly more: boolean }>;
  /** A kept loser by its version, or the version under which it was first written; undefined when there is none. */
  loser(key: KeyText, version: Version): Promise<KeptLoser | undefined>;
  /** Begins a watch. INVALID_ARGUMENT for a token that is none, OVERLOADED; close it in the end. */
  watch(request: LocalWatchRequest): LocalWatch;
  status(): StatusReport;
  /** Every replica that is a member or was. */
  members(): readonly MemberReport[];
  /** MEMBER_NOT_FOUND; FORCE_REQUIRED when a member could not be asked for the leaving replica's writes. */
  removeMember(id: ReplicaId, force: boolean, signal: AbortSignal): Promise<void>;
}
