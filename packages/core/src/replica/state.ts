/**
 * What a replica is, beside its tables: three sections with canonical bytes, each rewritten whole when it changes.
 *
 * ```
 * identity = u8 1, id replica, text mesh name, u64 createdAt, id founder, u8 damaged,
 *            varint count, count * (id start, u64 recovered)
 * progress = u8 1, u64 clockMark, u64 keys, u64 logBytes, u64 horizon, varint count, count * id member, vector,
 *            varint count, count * (id origin, u64 floor), digest (1,024 bytes)
 * members  = u8 1, members
 * ```
 */
import { ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import type { StateSection } from "../change-set.ts";
import { Digest, DIGEST_BUCKETS } from "../digest.ts";
import type { ReplicaId, StartId } from "../ids.ts";
import { MemberSet, readMembers, writeMembers } from "../member-set.ts";
import type { Timestamp } from "../timestamp.ts";
import { readVector, VersionVector, writeVector } from "../version-vector.ts";

/** Identity of a mesh: what it is called, and its founding. The older founding wins when two meshes meet. */
export interface MeshId {
  /** The name that operators gave it. */
  readonly name: string;
  /** When it was founded, by its founder's clock. */
  readonly createdAt: Timestamp;
  /** The replica that founded it. */
  readonly founder: ReplicaId;
}

/** One process start of this replica. */
export interface Start {
  /** Random; durable before the first write of the start. */
  readonly id: StartId;
  /** Last own timestamp when it began: all own versions above it, up to the next start's, are of this start. */
  readonly recovered: Timestamp;
}

/** Who a replica is. */
export interface Identity {
  /** Never used by two copies of the data. */
  readonly replicaId: ReplicaId;
  /** The mesh that it belongs to. */
  readonly mesh: MeshId;
  /** Damage was found: acknowledged writes may be missing, so the replica must rejoin (rule W5). */
  readonly damaged: boolean;
  /** Oldest first; the last is the current one. */
  readonly starts: readonly Start[];
}

/** How far a replica is. */
export interface Progress {
  /** No version above this was acknowledged before it was durable (rule W4). */
  readonly clockMark: Timestamp;
  /** Keys whose winner is a put, expired ones included. */
  readonly keys: number;
  /** Bytes of records in all logs. */
  readonly logBytes: number;
  /** Up to where everything may be forgotten (rule F1). */
  readonly horizon: Timestamp;
  /** The members for which `horizon` waited. */
  readonly horizonMembers: ReadonlySet<ReplicaId>;
  /** What the replica has of every origin's log. */
  readonly vector: VersionVector;
  /** Per origin, up to where its log may have been cut. */
  readonly floors: ReadonlyMap<ReplicaId, Timestamp>;
  /** Digest of the winning puts without deadline (rule E1). */
  readonly digest: Digest;
}

/** Everything that a replica is beside its tables; one part for each section. */
export interface ReplicaState {
  readonly identity: Identity;
  readonly progress: Progress;
  readonly members: MemberSet;
}

const FORMAT = 1;
const MEMBERS_FORMAT = 2;
const OLD_MEMBERS_FORMAT = 1;

/** Negative when mesh `a` was founded first. */
export function compareMeshes(a: MeshId, b: MeshId): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  return a.founder === b.founder ? 0 : a.founder < b.founder ? -1 : 1;
}

/** The state of a new replica that founds a mesh of its own. */
export function foundingState(
  replicaId: ReplicaId,
  meshName: string,
  createdAt: Timestamp,
  address: string,
): ReplicaState {
  const member = { removed: false, address, addressTimestamp: createdAt, succession: undefined };
  return {
    identity: {
      replicaId,
      mesh: { name: meshName, createdAt, founder: replicaId },
      damaged: false,
      starts: [],
    },
    progress: emptyProgress(createdAt),
    members: new MemberSet([[replicaId, member]]),
  };
}

/** The progress of a replica that holds nothing. */
export function emptyProgress(clockMark: Timestamp): Progress {
  return {
    clockMark,
    keys: 0,
    logBytes: 0,
    horizon: 0,
    horizonMembers: new Set(),
    vector: new VersionVector(),
    floors: new Map(),
    digest: new Digest(),
  };
}

export function encodeIdentity(identity: Identity): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT).id(identity.replicaId);
  writeMesh(writer, identity.mesh);
  writer.u8(identity.damaged ? 1 : 0);
  writeStarts(writer, identity.starts);
  return writer.finish();
}

export function encodeProgress(progress: Progress): Uint8Array {
  const writer = new ByteWriter(1200 + progress.vector.size * 64).u8(FORMAT);
  writer
    .u64(progress.clockMark)
    .u64(progress.keys)
    .u64(progress.logBytes)
    .u64(progress.horizon)
    .varint(progress.horizonMembers.size);
  for (const id of [...progress.horizonMembers].sort()) writer.id(id);
  writeVector(writer, progress.vector);
  writeFloors(writer, progress.floors);
  progress.digest.write(writer);
  return writer.finish();
}

export function encodeMembers(members: MemberSet): Uint8Array {
  const writer = new ByteWriter().u8(MEMBERS_FORMAT);
  writeMembers(writer, members);
  return writer.finish();
}

/** Reads all sections back; throws FormatError when one is missing or misshapen. */
export function decodeState(sections: ReadonlyMap<StateSection, Uint8Array>): ReplicaState {
  return {
    identity: decodeIdentity(openSection(sections, "identity")),
    progress: decodeProgress(openSection(sections, "progress")),
    members: decodeMembers(sections),
  };
}

function openSection(
  sections: ReadonlyMap<StateSection, Uint8Array>,
  name: StateSection,
  format = FORMAT,
): ByteReader {
  const bytes = sections.get(name);
  if (bytes === undefined) throw new FormatError(`state section ${name} is missing`);
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found !== format) throw new FormatError(`state section ${name} has unknown format ${found}`);
  return reader;
}

function decodeIdentity(reader: ByteReader): Identity {
  const replicaId = reader.id() as ReplicaId;
  const mesh = readMesh(reader);
  const damaged = reader.u8() !== 0;
  const starts = readStarts(reader);
  reader.end();
  return { replicaId, mesh, damaged, starts };
}

function decodeProgress(reader: ByteReader): Progress {
  const clockMark = reader.u64();
  const keys = reader.u64();
  const logBytes = reader.u64();
  const horizon = reader.u64();
  const horizonMembers = readIds(reader);
  const vector = readVector(reader);
  const floors = readFloors(reader);
  const digest = Digest.decode(reader.raw(DIGEST_BUCKETS * 16));
  reader.end();
  return { clockMark, keys, logBytes, horizon, horizonMembers, vector, floors, digest };
}

function decodeMembers(sections: ReadonlyMap<StateSection, Uint8Array>): MemberSet {
  // Directories of storage format 1 say nothing of branches.
  const isOld = sections.get("members")?.[0] === OLD_MEMBERS_FORMAT;
  const reader = openSection(sections, "members", isOld ? OLD_MEMBERS_FORMAT : MEMBERS_FORMAT);
  const members = readMembers(reader, !isOld);
  reader.end();
  return members;
}

export function writeMesh(writer: ByteWriter, mesh: MeshId): void {
  writer.text(mesh.name).u64(mesh.createdAt).id(mesh.founder);
}

export function readMesh(reader: ByteReader): MeshId {
  const name = reader.text();
  const createdAt = reader.u64();
  return { name, createdAt, founder: reader.id() as ReplicaId };
}

export function writeStarts(writer: ByteWriter, starts: readonly Start[]): void {
  writer.varint(starts.length);
  for (const start of starts) writer.id(start.id).u64(start.recovered);
}

export function readStarts(reader: ByteReader): Start[] {
  const count = reader.count(16);
  const starts: Start[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = reader.id() as StartId;
    starts.push({ id, recovered: reader.u64() });
  }
  return starts;
}

export function writeFloors(writer: ByteWriter, floors: ReadonlyMap<ReplicaId, Timestamp>): void {
  writer.varint(floors.size);
  for (const [origin, floor] of [...floors].sort(([a], [b]) => (a < b ? -1 : 1)))
    writer.id(origin).u64(floor);
}

export function readFloors(reader: ByteReader): Map<ReplicaId, Timestamp> {
  const count = reader.count(16);
  const floors = new Map<ReplicaId, Timestamp>();
  for (let index = 0; index < count; index += 1) {
    const origin = reader.id() as ReplicaId;
    floors.set(origin, reader.u64());
  }
  return floors;
}

export function writeIds(writer: ByteWriter, ids: Iterable<ReplicaId>): void {
  const sorted = [...ids].sort();
  writer.varint(sorted.length);
  for (const id of sorted) writer.id(id);
}

export function readIds(reader: ByteReader): Set<ReplicaId> {
  const count = reader.count(8);
  const ids = new Set<ReplicaId>();
  for (let index = 0; index < count; index += 1) ids.add(reader.id() as ReplicaId);
  return ids;
}
