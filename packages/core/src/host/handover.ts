/**
 * Offers what a replica has to the mesh that its successor joined (rule M2), in two rounds: first everything while
 * writes go on, then, with writes held for a moment, what has come in meanwhile. Every record that is not in the entry
 * of its key was covered by one that is, so entries are all that has to be offered.
 */
import type { ReplicaId } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import type { WriteRecord } from "../record.ts";
import type { Replica } from "../replica/replica.ts";
import { branchMeant } from "../session/branches.ts";
import { hasTaken, isCovered } from "../session/coverage.ts";
import { isForked, laterPosition, type Position, positionOf } from "../position.ts";
import { leftoversOf, mayHaveLeftovers } from "./leftovers.ts";
import type { Joiner } from "../session/joiner.ts";
import type { Outbox } from "../session/outbox.ts";
import type { KeyText } from "../ids.ts";
import type { Entry } from "../entry.ts";
import type { MemberSet } from "../member-set.ts";
import type { ScanRequest, ScanResult } from "../table.ts";
import { VersionVector } from "../version-vector.ts";

const CHUNK_BYTES = 4 * FRAME_BYTES_TARGET;

export interface HandoverParts {
  /** The replica that is replaced, and its outbox for scans of its tables. */
  readonly old: Replica;
  readonly oldOutbox: Outbox;
  readonly joiner: Joiner;
  /** The replica that takes its place, and its outbox. */
  readonly successor: Replica;
  readonly successorOutbox: Outbox;
  /** What the mesh has, as far as the successor was told; asked anew for every chunk. */
  readonly meshVector: () => VersionVector;
  readonly meshMembers: () => MemberSet;
  /** Holds the old replica's writes and links from now on. */
  readonly freeze: () => void;
}

export class Handover {
  readonly #parts: HandoverParts;
  readonly #startVector: VersionVector;
  #frozen = false;
  #stopped = false;
  #hasLeftovers = false;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#startVector = parts.old.durableVector;
  }

  start(): void {
    const seen = this.#seen();
    // What is offered from now on is named there as well.
    this.#hasLeftovers = seen !== undefined && mayHaveLeftovers(this.#parts.successor, seen);
    this.#scanEntries(undefined);
  }

  /** Nothing more is offered. */
  stop(): void {
    this.#stopped = true;
  }

  #scan(request: ScanRequest, done: (result: ScanResult) => void): void {
    this.#parts.oldOutbox.scan(request, (result) => {
      if (!this.#stopped) done(result);
    });
  }

  #scanEntries(after: KeyText | undefined): void {
    const seen = this.#seen();
    this.#scan({ kind: "entries", after, bytesMax: CHUNK_BYTES, skipDamaged: true }, (result) => {
      if (result.kind !== "entries") return this.#parts.joiner.fail("the old state cannot be read");
      const last = result.entries.at(-1);
      this.#offerEntries(result.entries, seen, () => {
        if (result.done || last === undefined) this.#settleLeftovers(undefined);
        else this.#scanEntries(last.winner.key);
      });
    });
  }

  /** States that to be settled which the mesh got by a rejoin that was broken off, and which was deleted here since. */
  #settleLeftovers(after: KeyText | undefined): void {
    const { old, successor, successorOutbox, joiner } = this.#parts;
    const seen = this.#hasLeftovers ? this.#seen() : undefined;
    if (seen === undefined) return this.#freeze();
    const had = { seen, branches: branchesOf(old) };
    successorOutbox.scan({ kind: "entries", after, bytesMax: CHUNK_BYTES }, (result, nowMs) => {
      if (this.#stopped) return;
      if (result.kind !== "entries") return joiner.fail("the copy cannot be read");
      for (const { winner } of result.entries) {
        const entry = old.entry(winner.key) === undefined ? successor.entry(winner.key) : undefined;
        if (entry !== undefined) successor.settle(leftoversOf(entry, successor, had), nowMs);
      }
      const last = result.entries.at(-1);
      if (result.done || last === undefined) this.#freeze();
      else this.#settleLeftovers(last.winner.key);
    });
  }

  /**
   * What the old replica has durably before its entries are read: what is part of it, and not of the entry of its key, is
   * settled. A damaged replica cannot say so.
   */
  #seen(): VersionVector | undefined {
    const { identity, durableVector, durableMembers } = this.#parts.old;
    if (identity.damaged) return undefined;
    const all = [...everythingIn(durableVector, durableMembers).entries()];
    // Names that stand for branches of copied directories are no members', and of a branch that an origin's name does
    // not mean here nothing has that name.
    const isTold = ([origin, position]: [ReplicaId, Position]): boolean =>
      durableMembers.get(origin) !== undefined &&
      !isForked(branchMeant(origin, durableVector, durableMembers), position);
    return new VersionVector(all.filter(isTold));
  }

  /** Entries are offered whole, or not at all. */
  #offerEntries(entries: readonly Entry[], seen: VersionVector | undefined, next: () => void): void {
    const { old, joiner } = this.#parts;
    const mesh = this.#parts.meshVector();
    const branches = branchesOf(old);
    const records: WriteRecord[] = [];
    for (const { winner, siblings } of entries) {
      const all = [winner, ...siblings];
      if (!all.every((record) => isCovered(record, mesh, this.#parts.meshMembers(), branches)))
        records.push(...all);
    }
    if (records.length === 0) return next();
    const sent = joiner.offer({ kind: "offer", records, branches, seen, end: undefined }, () => {
      if (!this.#stopped) next();
    });
    if (!sent) joiner.fail("the source went away");
  }

  #freeze(): void {
    this.#parts.freeze();
    this.#frozen = true;
    this.oldDurable();
  }

  /** The old replica has made a group durable: once nothing is under way there, the second round begins. */
  oldDurable(): void {
    const { old } = this.#parts;
    if (!this.#frozen || this.#stopped || old.hasChanges || old.isCommitting) return;
    this.#frozen = false;
    const origins = [...old.vector.origins()].filter((o) => old.vector.get(o) > this.#startVector.get(o));
    this.#scanLogs(origins, this.#startVector);
  }

  #scanLogs(origins: readonly ReplicaId[], from: VersionVector): void {
    const { old } = this.#parts;
    const [origin, ...rest] = origins;
    if (origin === undefined) return this.#end();
    const request = {
      kind: "log",
      origin,
      after: from.get(origin),
      upTo: old.vector.get(origin),
      bytesMax: CHUNK_BYTES,
      skipDamaged: true,
    } as const;
    const seen = this.#seen();
    this.#scan(request, (result) => {
      if (result.kind !== "log") return this.#parts.joiner.fail("the old log cannot be read");
      const keys = new Set(result.records.map((record) => record.key));
      const entries = [...keys].map((key) => old.entry(key)).filter((entry) => entry !== undefined);
      const last = result.records.at(-1);
      this.#offerEntries(entries, seen, () => {
        if (result.done || last === undefined) return this.#scanLogs(rest, from);
        const reached = from.clone();
        reached.advance(origin, { ...old.vector.position(origin), timestamp: last.timestamp });
        this.#scanLogs(origins, reached);
      });
    });
  }

  #end(): void {
    const { old, joiner } = this.#parts;
    const end = { predecessor: old.id, vector: everythingIn(old.vector, old.members) };
    const branches = branchesOf(old);
    const sent = joiner.offer({ kind: "offer", records: [], branches, seen: undefined, end }, () => {
      if (!this.#stopped) joiner.finish(this.#parts.meshVector);
    });
    if (!sent) joiner.fail("the source went away");
  }
}

/**
 * On which branches the replica holds its records, those included that were adopted from predecessors of peers; of its own
 * life all starts that it remembers. Only what is durable: after a crash its life would go on before what it has told, and look
 * like that of a copy.
 */
function branchesOf(replica: Replica): Map<ReplicaId, Position> {
  const { id, identity, durableVector: vector, members } = replica;
  const own = positionOf(identity.starts, vector.get(id), Number.POSITIVE_INFINITY);
  const branches = new Map([...everythingIn(vector, members).entries(), [id, own]]);
  const named = [...vector.named()].map(([origin]) => origin);
  for (const origin of [...members.branches.keys(), ...named]) {
    const meant = branchMeant(origin, vector, members);
    const offered = branches.get(origin);
    const isOne = offered !== undefined && !isForked(offered, meant);
    branches.set(origin, isOne ? laterPosition(offered, meant) : meant);
  }
  return branches;
}

/** All that a replica has of any origin, under its own versions or adopted from predecessors of peers. */
export function everythingIn(held: VersionVector, members: MemberSet): VersionVector {
  const vector = held.covered();
  for (const [, { succession }] of members.entries()) {
    if (succession === undefined || !hasTaken(held, succession)) continue;
    for (const [origin, position] of succession.offered.entries()) {
      if (!isForked(vector.position(origin), position)) vector.advance(origin, position);
    }
  }
  return vector;
}
