/**
 * Names for the writes of a copied directory. Two live copies of one directory issue versions under one id until they are
 * found out; the one that gives way offers its writes, and where its branch of an origin's life parts from the one that
 * the mesh follows, a version would name two writes, and a context would take the one for seen that the other meant. So
 * what lies beyond the parting is adopted under the name of an origin that stands for the process start which issued it.
 */
import { type Context, ContextBuilder } from "../context.ts";
import { idFromWords, type ReplicaId, type StartId, UNKNOWN_START } from "../ids.ts";
import type { MemberSet } from "../member-set.ts";
import {
  commonTimestamp,
  isForked,
  laterPosition,
  type Position,
  positionAt,
  positionWithin,
  stretchesOf,
} from "../position.ts";
import type { WriteRecord } from "../record.ts";
import type { Timestamp } from "../timestamp.ts";
import type { VersionVector } from "../version-vector.ts";

/** A branch that the mesh does not follow. */
export interface StrayBranch {
  /** Where it is held. */
  readonly position: Position;
  /** Up to here it is the one that the mesh follows. */
  readonly common: Timestamp;
}

/** Branches of origins that the mesh does not follow; mostly none. */
export type StrayBranches = ReadonlyMap<ReplicaId, StrayBranch>;

/** The branch that the name of an origin means here: that of its log, and beyond it the one that was offered first. */
export function branchMeant(origin: ReplicaId, vector: VersionVector, members: MemberSet): Position {
  return branchFrom(vector.meant(origin), members.branches.get(origin));
}

/** The same, of what is held of an origin and what was offered of it. */
export function branchFrom(held: Position, offered: Position | undefined): Position {
  return offered === undefined || isForked(held, offered) ? held : laterPosition(held, offered);
}

/** Which of the branches part from those that a mesh has, and, beyond what it has, was offered first. */
export function findStrays(
  branches: ReadonlyMap<ReplicaId, Position>,
  vector: VersionVector,
  members: MemberSet,
): StrayBranches {
  const strays = new Map<ReplicaId, StrayBranch>();
  for (const [origin, position] of branches) {
    const meant = branchMeant(origin, vector, members);
    if (isForked(position, meant)) strays.set(origin, { position, common: commonTimestamp(position, meant) });
  }
  return strays;
}

/**
 * What the names of origins mean from now on, beyond what the mesh has of their logs and where no other branch was offered
 * before: told to all members ahead of the first record that is adopted, and kept though the offer is broken off.
 */
export function* namedBy(
  branches: ReadonlyMap<ReplicaId, Position>,
  vector: VersionVector,
  strays: StrayBranches,
): Generator<[ReplicaId, Position]> {
  for (const [origin, position] of branches)
    if (position.timestamp > vector.get(origin) && !strays.has(origin)) yield [origin, position];
}

/** The record by names that mean one write each. Only for adoption: its bytes are those of the original. */
export function renameStray(record: WriteRecord, strays: StrayBranches): WriteRecord {
  if (strays.size === 0) return record;
  const { adopted } = record;
  return {
    ...record,
    origin: nameOf(record.origin, record.timestamp, strays),
    context: renameContext(record.context, strays),
    adopted: adopted && { ...adopted, origin: nameOf(adopted.origin, adopted.timestamp, strays) },
  };
}

/**
 * How far the contexts of records name each origin, on the branch that their holder follows; not what it has by no log, and
 * names no branch of.
 * @param after records up to here are of no interest
 */
export function namedByContexts(
  records: readonly WriteRecord[],
  after: Timestamp,
  meant: (origin: ReplicaId) => Position,
): Map<ReplicaId, Position> {
  const named = new Map<ReplicaId, Position>();
  for (const record of records) {
    if (record.timestamp <= after) continue;
    for (const { origin, timestamp } of record.context) {
      if (timestamp <= (named.get(origin)?.timestamp ?? 0)) continue;
      const position = meant(origin);
      if (timestamp <= position.timestamp) named.set(origin, positionWithin(position, timestamp));
    }
  }
  return named;
}

/** What was offered, by both names. */
export function withStrays(offered: VersionVector, strays: StrayBranches): VersionVector {
  const named = offered.clone();
  for (const [origin, stray] of strays) {
    for (const { name, end } of namesOf(origin, stray, stray.position.timestamp))
      named.advance(name, positionAt(end));
  }
  return named;
}

/**
 * What was offered by a replica and, before, by another copy of its directory, whose note gives way. Where their branches part,
 * by process starts, so that nothing of the other copy's is taken for new when it is offered once more.
 * @param earlier what that note says, where all of it is here
 */
export function withCopies(
  offered: VersionVector,
  origin: ReplicaId,
  earlier: VersionVector | undefined,
): VersionVector {
  if (earlier === undefined) return offered;
  const named = offered.clone();
  for (const [other, position] of earlier.entries()) {
    const isOne = other !== origin && !isForked(offered.position(other), position);
    if (isOne) named.advance(other, position);
    else for (const held of [offered.position(other), position]) nameStarts(named, other, held);
  }
  return named;
}

function nameStarts(named: VersionVector, origin: ReplicaId, position: Position): void {
  for (const { name, end } of namesOf(origin, { position, common: 0 }, position.timestamp))
    named.advance(name, positionAt(end));
}

/** The id that stands for the process start in which a branch has issued a version; undefined where that is not known. */
export function nameOfStart(
  origin: ReplicaId,
  position: Position,
  timestamp: Timestamp,
): ReplicaId | undefined {
  if (position.start === UNKNOWN_START || timestamp > position.timestamp) return undefined;
  const start = stretchesOf(position).find(({ recovered }) => timestamp > recovered);
  return start && strayOrigin(origin, start.id);
}

/** The id that stands for one process start of an origin: the same wherever it is made. */
export function strayOrigin(origin: ReplicaId, start: StartId): ReplicaId {
  const [high = 0, low = 0] = [0, 8].map(
    (at) =>
      (Number.parseInt(origin.slice(at, at + 8), 16) ^ Number.parseInt(start.slice(at, at + 8), 16)) >>> 0,
  );
  return idFromWords(high, low) as ReplicaId;
}

function nameOf(origin: ReplicaId, timestamp: Timestamp, strays: StrayBranches): ReplicaId {
  const stray = strays.get(origin);
  if (stray === undefined || timestamp <= stray.common) return origin;
  return namesOf(origin, stray, timestamp)[0]?.name ?? origin;
}

function renameContext(context: Context, strays: StrayBranches): Context {
  if (!context.some(({ origin }) => strays.has(origin))) return context;
  const builder = new ContextBuilder();
  for (const { origin, timestamp } of context) {
    const stray = strays.get(origin);
    if (stray === undefined || timestamp <= stray.common) builder.add(origin, timestamp);
    else {
      if (stray.common > 0) builder.add(origin, stray.common);
      for (const { name, end } of namesOf(origin, stray, timestamp)) builder.add(name, end);
    }
  }
  return builder.build();
}

/** The names of what a branch holds beyond the parting and up to a timestamp, latest first. */
function namesOf(
  origin: ReplicaId,
  { position, common }: StrayBranch,
  upTo: Timestamp,
): { readonly name: ReplicaId; readonly end: Timestamp }[] {
  const names: { name: ReplicaId; end: Timestamp }[] = [];
  for (const { id, end, recovered } of stretchesOf(position)) {
    if (end <= common || recovered >= upTo) continue;
    names.push({ name: strayOrigin(origin, id), end: Math.min(end, upTo) });
  }
  return names;
}
