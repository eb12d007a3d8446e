/**
 * The state of one link to one peer: a position per origin, never a queue, so that memory per peer is constant
 * (rule S1).
 */
import type { KeyText, ReplicaId } from "../ids.ts";
import type { MemberSet } from "../member-set.ts";
import type { ScanResult } from "../table.ts";
import type { Timestamp } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import type { Hello } from "./messages.ts";
import type { LinkId } from "./outbox.ts";

/**
 * `greeting`: the peer's hello has not come. `streaming`: both send logs. `source`: the peer is a joiner that copies
 * from here. `joiner`: this replica copies from the peer. `closed`: nothing more is sent or taken.
 */
export type SessionMode = "greeting" | "streaming" | "source" | "joiner" | "closed";

/** How a link came to be. */
export interface LinkInfo {
  /** Its name within this process. */
  readonly link: LinkId;
  /** This side opened the link. */
  readonly dialled: boolean;
  /** An operator named the address. */
  readonly invited: boolean;
  /** The address that was dialled; empty for links that the peer opened. */
  readonly address: string;
}

/** Entries as a scan found them. */
export type CopiedEntries = Extract<ScanResult, { kind: "entries" }>;

/** A chunk of a copy that is read before it is asked for. */
export interface ReadAhead {
  /** The key after which it begins; undefined: with the first. */
  readonly after: KeyText | undefined;
  /** undefined while it is read. */
  found: CopiedEntries | undefined;
  /** It was asked for, and is sent when it is there. */
  isWanted: boolean;
}

/** One link to one peer. */
export class Session {
  /** How the link came to be. */
  readonly info: LinkInfo;
  /** When it was opened, in Unix milliseconds. */
  readonly openedAtMs: number;
  /** What is going on; see {@link SessionMode}. */
  mode: SessionMode = "greeting";
  /** The peer's hello, once it has come. */
  hello: Hello | undefined;
  /** The transport takes nothing more for now. */
  blocked = false;

  /** Sending: how far each wanted origin has been sent. */
  readonly wanted = new Map<ReplicaId, Timestamp>();
  /** A scan for the next frame is under way. */
  scanning = false;
  /** A frame was handed to the transport, which may yet say that it takes no more. */
  handing = false;
  /** The origin that was served last: origins take turns. */
  lastServed: ReplicaId | undefined;
  /** What the peer was last told of this replica's vector. */
  toldVector = new VersionVector();
  /** The member set that the peer was last told. */
  toldMembers: MemberSet | undefined;
  /** Per third member, the revision of the knowledge that the peer was told. */
  readonly toldHeard = new Map<ReplicaId, number>();
  /** Something came from the peer that it waits to see acknowledged. */
  ackDue = false;
  /** News of third members goes out with the next frame. */
  hearsayDue = false;

  /** For a joiner that copies: the chunk that comes next. */
  readAhead: ReadAhead | undefined;

  /** Receiving: the origins asked of this peer. */
  readonly asked = new Set<ReplicaId>();
  /** Peer's wall clock minus ours, when last heard. */
  wallOffsetMs = 0;
  /** When anything last came from the peer, in Unix milliseconds. */
  lastHeardMs: number;

  constructor(info: LinkInfo, nowMs: number) {
    this.info = info;
    this.openedAtMs = nowMs;
    this.lastHeardMs = nowMs;
  }

  /** The link's name within this process. */
  get link(): LinkId {
    return this.info.link;
  }

  /** The peer's replica id, once it has said hello. */
  get peer(): ReplicaId | undefined {
    return this.hello?.replicaId;
  }

  /** Where the peer can be dialled; empty when nowhere. */
  get peerAddress(): string {
    return this.hello?.address || this.info.address;
  }
}
