/** What peers say to each other. Byte formats: `codec.ts` beside this file, and docs/PROTOCOL.md. */
import type { Entry } from "../entry.ts";
import type { SettledConflict } from "../change-set.ts";
import type { ErrorCode } from "../error-code.ts";
import type { KeyText, ReplicaId } from "../ids.ts";
import type { MemberSet } from "../member-set.ts";
import type { Position } from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { MeshId, Start } from "../replica/state.ts";
import type { Timestamp } from "../timestamp.ts";
import type { VersionVector } from "../version-vector.ts";

/** Versions of the peer protocol that this code speaks. */
export const PROTOCOL_MIN = 2;
export const PROTOCOL_MAX = 2;

/** What a replica is doing: only a ready one takes joiners. */
export type PeerState = "ready" | "rejoining" | "joining";

/** The first message in each direction. All state in it is durable. */
export interface Hello {
  readonly kind: "hello";
  /** The oldest protocol that the sender speaks, … */
  readonly protocolMin: number;
  /** … and the newest. */
  readonly protocolMax: number;
  readonly mesh: MeshId;
  readonly replicaId: ReplicaId;
  /** The sender's own starts, oldest first: they tell which positions of its log it can have issued. */
  readonly starts: readonly Start[];
  readonly state: PeerState;
  /** The sender was told to find its peer here by its operator: meshes may then merge (rule M3). */
  readonly invited: boolean;
  /** Where peers reach the sender; empty when nowhere. */
  readonly address: string;
  /** The sender's wall clock, in Unix milliseconds. */
  readonly wallMs: number;
  /** The greatest timestamp that the sender has issued or observed. */
  readonly clock: Timestamp;
  readonly members: MemberSet;
  /** What the sender has; empty while it copies. */
  readonly vector: VersionVector;
  readonly horizon: Timestamp;
  /** Per origin, up to where the sender's logs are cut. */
  readonly floors: ReadonlyMap<ReplicaId, Timestamp>;
}

/** Why the link ends. */
export interface Refuse {
  readonly kind: "refuse";
  readonly code: ErrorCode;
  readonly message: string;
}

/** Asks for an origin's log from a position on, or for no more of it. */
export interface Want {
  readonly kind: "want";
  readonly origin: ReplicaId;
  /** undefined: no more. */
  readonly after: Timestamp | undefined;
}

/** A stretch of one origin's log: all its records with `after < timestamp <= claim`. */
export interface LogStretch {
  readonly origin: ReplicaId;
  readonly after: Timestamp;
  readonly records: readonly WriteRecord[];
  readonly claim: Position;
}

/** What a third member is known to have. */
export interface Hearsay {
  readonly member: ReplicaId;
  readonly vector: VersionVector;
  readonly removed: ReadonlySet<ReplicaId>;
}

/** Carries a stretch of a log, and what changed since the last frame; takes effect members first (rule S6). */
export interface Frame {
  readonly kind: "frame";
  /** The sender's wall clock, in Unix milliseconds. */
  readonly wallMs: number;
  /** The greatest timestamp that the sender has issued or observed. */
  readonly clock: Timestamp;
  /** The sender's member set when the peer has not been told it as it is now. */
  readonly members: MemberSet | undefined;
  /** Positions of the sender that moved, and what its contexts name beyond them since (decision 22). */
  readonly vector: VersionVector;
  /** What the sender has heard of third members since it last told. */
  readonly heard: readonly Hearsay[];
  /** Absent when there is only news to tell. */
  readonly log: LogStretch | undefined;
}

/** A new replica asks to be added. */
export interface Join {
  readonly kind: "join";
  /** An earlier attempt of the same process that is given up. */
  readonly abandoned: ReplicaId | undefined;
}
export interface Granted {
  readonly kind: "granted";
  readonly mesh: MeshId;
  readonly members: MemberSet;
  /** The admission: the joiner's clock goes past it. */
  readonly observe: Timestamp;
  /** What the source had accepted by then: whatever is copied later reflects it. */
  readonly vector: VersionVector;
  readonly horizon: Timestamp;
  readonly horizonMembers: ReadonlySet<ReplicaId>;
  readonly floors: ReadonlyMap<ReplicaId, Timestamp>;
}
export interface Copy {
  readonly kind: "copy";
  readonly after: KeyText | undefined;
}
export interface Copied {
  readonly kind: "copied";
  readonly entries: readonly Entry[];
  readonly done: boolean;
}
export interface CopySettled {
  readonly kind: "copy-settled";
  readonly after: WriteRecord | undefined;
}
export interface CopiedSettled {
  readonly kind: "copied-settled";
  readonly conflicts: readonly SettledConflict[];
  readonly done: boolean;
  /** What the source had when the last of the copy was read. */
  readonly vector: VersionVector;
}
/** Whole entries of the replica that the joiner replaces (rule M2), the best record of each key first. */
export interface Offer {
  readonly kind: "offer";
  readonly records: readonly WriteRecord[];
  /** Where the replica that offers holds its records: on which branches of their origins' lives. */
  readonly branches: ReadonlyMap<ReplicaId, Position>;
  /** What that replica had when the entries were read: what is part of it, and not of its key's entry, is settled. */
  readonly seen: VersionVector | undefined;
  /** With the last offer: who is replaced, and all that it had. */
  readonly end: { readonly predecessor: ReplicaId; readonly vector: VersionVector } | undefined;
}
/** The offers so far are durable in the source's log up to here. */
export interface Adopted {
  readonly kind: "adopted";
  readonly through: Timestamp;
}
/** The joiner asks, before it serves, whether it is still a member. */
export interface Confirm {
  readonly kind: "confirm";
}
export interface Confirmed {
  readonly kind: "confirmed";
}

/** Anything that peers say to each other. */
export type PeerMessage =
  | Hello
  | Refuse
  | Want
  | Frame
  | Join
  | Granted
  | Copy
  | Copied
  | CopySettled
  | CopiedSettled
  | Offer
  | Adopted
  | Confirm
  | Confirmed;
