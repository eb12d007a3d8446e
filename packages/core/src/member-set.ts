/**
 * The replicas that the horizon waits for: a set in which removal wins and is final. It is sent whole; merging is
 * commutative, associative and idempotent.
 */
import { type ByteReader, type ByteWriter, FormatError } from "./bytes.ts";
import { type ReplicaId, UNKNOWN_START } from "./ids.ts";
import { laterPosition, type Position } from "./position.ts";
import type { Timestamp } from "./timestamp.ts";
import { readVector, VersionVector, writeVector } from "./version-vector.ts";

/** What is known of one replica that is, or was, a member. */
export interface Member {
  /** Removed for good. */
  readonly removed: boolean;
  /** `host:port` where peers reach it; empty when it told none. */
  readonly address: string;
  /** When the address was told, by its owner's clock: the latest wins. */
  readonly addressTimestamp: Timestamp;
  /** What became of a removed replica that rejoined. */
  readonly succession: Succession | undefined;
  /** The member that let it in, until it has finished its copy: whoever admits a joiner drops it when it falls silent. */
  readonly admittedBy?: ReplicaId;
}

/** The note that a rejoin leaves behind (rule M2). */
export interface Succession {
  /** Who took its place. */
  readonly successor: ReplicaId;
  /** Who adopted the old replica's writes, and its last version when it was done. */
  readonly adopter: ReplicaId;
  /** The adopter's last version when it had adopted everything. */
  readonly adoptedAt: Timestamp;
  /** Everything that this vector covers had been offered by then. */
  readonly offered: VersionVector;
  /** What the adopter had by then: of what was offered, it adopted only what this did not cover. */
  readonly held: VersionVector;
}

/** An immutable set of members, removed ones included. */
export class MemberSet {
  readonly #members: Map<ReplicaId, Member>;
  /**
   * Of origins that were offered beyond what is in their logs here: the branch that their names mean in adopted records and
   * in contexts. What was offered from another one has other names (`session/branches.ts`).
   */
  readonly branches: ReadonlyMap<ReplicaId, Position>;
  #current: readonly ReplicaId[] | undefined;
  #removed: readonly ReplicaId[] | undefined;
  #removedSet: ReadonlySet<ReplicaId> | undefined;

  constructor(
    members: Iterable<readonly [ReplicaId, Member]> = [],
    branches: ReadonlyMap<ReplicaId, Position> = NO_BRANCHES,
  ) {
    this.#members = new Map(members);
    this.branches = branches;
  }

  /** What is known of the replica; undefined when it never was a member. */
  get(id: ReplicaId): Member | undefined {
    return this.#members.get(id);
  }

  /** Whether the replica is a current member. */
  has(id: ReplicaId): boolean {
    return this.#members.get(id)?.removed === false;
  }

  /** Whether the replica was a member, and is none any more. */
  isRemoved(id: ReplicaId): boolean {
    return this.#members.get(id)?.removed === true;
  }

  /** Ids of current members, ascending. */
  current(): readonly ReplicaId[] {
    this.#current ??= this.#idsOf(false);
    return this.#current;
  }

  /** Ids of removed members, ascending. */
  removed(): readonly ReplicaId[] {
    this.#removed ??= this.#idsOf(true);
    return this.#removed;
  }

  /** The same as a set. */
  removedSet(): ReadonlySet<ReplicaId> {
    this.#removedSet ??= new Set(this.removed());
    return this.#removedSet;
  }

  #idsOf(removed: boolean): ReplicaId[] {
    const ids: ReplicaId[] = [];
    for (const [id, member] of this.#members) if (member.removed === removed) ids.push(id);
    return ids.sort();
  }

  /** All that were ever members, in no particular order. */
  entries(): IterableIterator<[ReplicaId, Member]> {
    return this.#members.entries();
  }

  /** A set with one member put in; merged with what was known of it. */
  with(id: ReplicaId, member: Member): MemberSet {
    return this.merge(new MemberSet([[id, member]]));
  }

  /** A set in which a joiner has become a member like any other. */
  confirming(id: ReplicaId): MemberSet {
    const known = this.#members.get(id);
    if (known?.admittedBy === undefined) return this;
    const { admittedBy: _, ...member } = known;
    return this.with(id, member);
  }

  /** Joiners that have not finished, and who let them in. */
  joining(): [ReplicaId, ReplicaId][] {
    const joiners: [ReplicaId, ReplicaId][] = [];
    for (const [id, { removed, admittedBy }] of this.#members) {
      if (!removed && admittedBy !== undefined) joiners.push([id, admittedBy]);
    }
    return joiners.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** A set in which the replica is removed; the note of its succession may come with it. */
  without(id: ReplicaId, succession?: Succession): MemberSet {
    const known = this.#members.get(id);
    return this.with(id, {
      removed: true,
      address: known?.address ?? "",
      addressTimestamp: known?.addressTimestamp ?? 0,
      succession,
    });
  }

  /**
   * A set without the successors that never took their predecessor's place: a process ended between the last word of its
   * rejoin and the switch, and its replica has rejoined once more since, under another id.
   * @param before what was known earlier: the note that a later one has replaced names the ghost
   */
  droppingGhosts(before: MemberSet, self: ReplicaId): MemberSet {
    const ghosts: ReplicaId[] = [];
    for (const [id, { succession }] of before.#members) {
      const now = this.get(id)?.succession;
      if (succession === undefined || now === undefined || succession.successor === now.successor) continue;
      const ghost = succession.successor;
      if (ghost !== self && this.has(ghost)) ghosts.push(ghost);
    }
    return ghosts.reduce<MemberSet>((members, ghost) => members.without(ghost), this);
  }

  /**
   * A set in which all are removed whose place a replica took, one after another, with the notes that another mesh has of
   * them: it may have been a member here before, or let in by a process that ended too early, and this mesh may wait for
   * it still, or for a ghost in its place.
   * @param id who moves
   * @param from the members of the mesh that it comes from
   * @param source who lets it in; of two live copies of one directory it keeps the id of both, or is itself the successor that
   *   the note here names
   */
  withAncestry(id: ReplicaId, from: MemberSet, source: ReplicaId | undefined): MemberSet {
    const predecessors = new Map<ReplicaId, [ReplicaId, Succession]>();
    for (const [old, { removed, succession }] of from.#members) {
      if (removed && succession !== undefined) predecessors.set(succession.successor, [old, succession]);
    }
    const notes: [ReplicaId, Succession][] = [];
    for (let next = predecessors.get(id); next !== undefined; next = predecessors.get(next[0])) {
      predecessors.delete(next[1].successor);
      const isSources = next[0] === source || this.get(next[0])?.succession?.successor === source;
      if (source === undefined || !isSources) notes.push(next);
    }
    return notes.reduce<MemberSet>((members, note) => members.without(...note), this);
  }

  /** A set that knows as well on which branches the writes of some origins lie, as far as that can be told. */
  naming(branches: Iterable<readonly [ReplicaId, Position]>): MemberSet {
    const told = [...branches].filter(([, { start }]) => start !== UNKNOWN_START);
    return new MemberSet(this.#members, mergeBranches(this.branches, told));
  }

  /** A set that knows what both know. */
  merge(other: MemberSet): MemberSet {
    const merged = new Map(this.#members);
    for (const [id, theirs] of other.#members) {
      const ours = merged.get(id);
      merged.set(id, ours === undefined ? theirs : mergeMember(id, ours, theirs));
    }
    return new MemberSet(merged, mergeBranches(this.branches, other.branches));
  }

  /** Whether both know the same. */
  equals(other: MemberSet): boolean {
    if (this.#members.size !== other.#members.size || !sameBranches(this.branches, other.branches))
      return false;
    for (const [id, ours] of this.#members) {
      const theirs = other.#members.get(id);
      if (theirs === undefined || !sameMember(ours, theirs)) return false;
    }
    return true;
  }
}

const NO_BRANCHES: ReadonlyMap<ReplicaId, Position> = new Map();

function mergeBranches(
  known: ReadonlyMap<ReplicaId, Position>,
  told: Iterable<readonly [ReplicaId, Position]>,
): ReadonlyMap<ReplicaId, Position> {
  const merged = new Map(known);
  for (const [origin, position] of told) {
    const ours = merged.get(origin);
    merged.set(origin, ours === undefined ? position : laterPosition(ours, position));
  }
  return merged;
}

function sameBranches(a: ReadonlyMap<ReplicaId, Position>, b: ReadonlyMap<ReplicaId, Position>): boolean {
  if (a.size !== b.size) return false;
  for (const [origin, { start, timestamp }] of a) {
    const theirs = b.get(origin);
    if (theirs?.start !== start || theirs.timestamp !== timestamp) return false;
  }
  return true;
}

function sameMember(a: Member, b: Member): boolean {
  return (
    a.removed === b.removed &&
    a.address === b.address &&
    a.addressTimestamp === b.addressTimestamp &&
    a.admittedBy === b.admittedBy &&
    a.succession?.successor === b.succession?.successor &&
    a.succession?.adopter === b.succession?.adopter &&
    a.succession?.adoptedAt === b.succession?.adoptedAt
  );
}

function mergeMember(id: ReplicaId, a: Member, b: Member): Member {
  const newer =
    a.addressTimestamp > b.addressTimestamp ||
    (a.addressTimestamp === b.addressTimestamp && a.address >= b.address)
      ? a
      : b;
  return {
    removed: a.removed || b.removed,
    address: newer.address,
    addressTimestamp: newer.addressTimestamp,
    succession: laterSuccession(id, a.succession, b.succession),
    ...admission(a.admittedBy, b.admittedBy),
  };
}

/** Who has heard that the joiner has finished is right; of two admissions the greater id stays. */
function admission(a: ReplicaId | undefined, b: ReplicaId | undefined): { readonly admittedBy?: ReplicaId } {
  if (a === undefined || b === undefined) return {};
  return { admittedBy: a > b ? a : b };
}

/** Each rejoin of a replica ends with more of its own log offered: that tells the order, whoever adopted. */
function laterSuccession(
  id: ReplicaId,
  a: Succession | undefined,
  b: Succession | undefined,
): Succession | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const further = a.offered.get(id) - b.offered.get(id);
  if (further !== 0) return further > 0 ? a : b;
  if (a.adoptedAt !== b.adoptedAt) return a.adoptedAt > b.adoptedAt ? a : b;
  if (a.successor !== b.successor) return a.successor > b.successor ? a : b;
  return a.adopter >= b.adopter ? a : b;
}

/**
 * `members = varint count, count * (id, u8 flags, text address, u64 addressTimestamp, [succession],
 * [id admittedBy]), vector branches`, ids ascending; flags: 1 removed, 2 has a succession, 4 has not finished its copy; `succession = id successor, id adopter, u64 adoptedAt, vector offered, vector held`.
 */
export function writeMembers(writer: ByteWriter, members: MemberSet): void {
  const all = [...members.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  writer.varint(all.length);
  for (const [id, member] of all) {
    const { succession } = member;
    writer
      .id(id)
      .u8(
        (member.removed ? 1 : 0) |
          (succession === undefined ? 0 : 2) |
          (member.admittedBy === undefined ? 0 : 4),
      );
    writer.text(member.address).u64(member.addressTimestamp);
    if (succession !== undefined) {
      writer.id(succession.successor).id(succession.adopter).u64(succession.adoptedAt);
      writeVector(writer, succession.offered);
      writeVector(writer, succession.held);
    }
    if (member.admittedBy !== undefined) writer.id(member.admittedBy);
  }
  writeVector(writer, new VersionVector(members.branches));
}

/** Reads what {@link writeMembers} wrote; throws FormatError. `hasBranches`: older data has none. */
export function readMembers(reader: ByteReader, hasBranches = true): MemberSet {
  const count = reader.count(18);
  const members: [ReplicaId, Member][] = [];
  for (let index = 0; index < count; index += 1) {
    const id = reader.id() as ReplicaId;
    const last = members.at(-1);
    if (last !== undefined && last[0] >= id) throw new FormatError("members not sorted");
    const flags = reader.u8();
    if (flags > 7) throw new FormatError("member flags not known");
    const address = reader.text();
    const addressTimestamp = reader.u64();
    const succession = (flags & 2) === 0 ? undefined : readSuccession(reader);
    const admission = (flags & 4) === 0 ? {} : { admittedBy: reader.id() as ReplicaId };
    members.push([id, { removed: (flags & 1) !== 0, address, addressTimestamp, succession, ...admission }]);
  }
  return new MemberSet(members, hasBranches ? new Map(readVector(reader).entries()) : undefined);
}

function readSuccession(reader: ByteReader): Succession {
  const successor = reader.id() as ReplicaId;
  const adopter = reader.id() as ReplicaId;
  const adoptedAt = reader.u64();
  const offered = readVector(reader);
  return { successor, adopter, adoptedAt, offered, held: readVector(reader) };
}
