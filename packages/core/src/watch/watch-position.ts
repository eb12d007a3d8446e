/** Where in the history of a mesh a watcher is. Immutable. */
import { type ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import { crc32c } from "../crc32c.ts";
import { type ReplicaId, type StartId, UNKNOWN_START } from "../ids.ts";
import { isForked, type Position, positionAt } from "../position.ts";
import type { Replica } from "../replica/replica.ts";
import { type MeshId, writeMesh } from "../replica/state.ts";
import { TIMESTAMP_MAX, type Timestamp, timestampToMs } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";

/** Origins that a token names; beyond it the removed ones with the oldest claims are left out. */
export const WATCH_ORIGINS_MAX = 256;

/** A position: everything at or below it counts as told. */
export interface WatchPosition {
  /** Per origin, up to where its log was told, and on which branch of its life. Claims are in it. */
  readonly vector: VersionVector;
  /** Deadlines up to here were announced, in Unix milliseconds. */
  readonly markMs: number;
  /** The horizon of the replica that was at this position: an origin that it does not name has written nothing up to there. */
  readonly base: Timestamp;
  /** Which mesh: a base says nothing about the origins of another one. */
  readonly mesh: number;
}

const PRINTS = new WeakMap<MeshId, number>();

/** A mesh's identity in 32 bits. */
export function meshPrint(mesh: MeshId): number {
  let print = PRINTS.get(mesh);
  if (print === undefined) {
    const writer = new ByteWriter();
    writeMesh(writer, mesh);
    print = crc32c(writer.finish());
    PRINTS.set(mesh, print);
  }
  return print;
}

/** The position of a replica's published state. */
export function positionOf(replica: Replica, markMs: number): WatchPosition {
  return {
    vector: replica.durableVector,
    markMs,
    base: replica.horizon,
    mesh: meshPrint(replica.identity.mesh),
  };
}

/**
 * Whether the replica still has everything after the position: records in its logs, tombstones, and puts whose deadlines
 * were not announced.
 * @param markMs deadlines after it have not been announced by the replica either, so it has these puts
 */
export function isReachable(at: WatchPosition, replica: Replica, markMs: number): boolean {
  let floorMax = 0;
  const base = at.mesh === meshPrint(replica.identity.mesh) ? at.base : 0;
  for (const [origin, floor] of replica.floors) {
    const told = at.vector.get(origin);
    if ((told > 0 ? told : base) < floor) return false;
    floorMax = Math.max(floorMax, floor);
  }
  return floorMax === 0 || at.markMs >= Math.min(timestampToMs(floorMax), markMs);
}

/**
 * Whether the watcher was told another log of some origin than the one that the replica has: both are of copies of one
 * directory, and the same timestamps mean other writes here.
 */
export function isOnOtherBranch(vector: VersionVector, replica: Replica): boolean {
  const { durableVector } = replica;
  for (const [origin, told] of vector.entries())
    if (told.start !== UNKNOWN_START && isForked(told, durableVector.position(origin))) return true;
  return false;
}

/**
 * `position = u32 mesh, u64 base, varint markMs, varint newest, varint count, count * told`, `told = id origin,
 * varint newest - timestamp, id start, varint timestamp - recovered`, origins ascending. Earlier starts are not told.
 */
export function writeWatchPosition(
  writer: ByteWriter,
  at: WatchPosition,
  keeps: (origin: ReplicaId) => boolean,
): void {
  let all = [...at.vector.entries()].filter(([, { timestamp }]) => timestamp > 0);
  if (all.length > WATCH_ORIGINS_MAX) {
    all.sort(([a, x], [b, y]) => Number(keeps(b)) - Number(keeps(a)) || y.timestamp - x.timestamp);
    all = all.slice(0, WATCH_ORIGINS_MAX);
  }
  all.sort(([a], [b]) => (a < b ? -1 : 1));
  const newest = all.reduce((max, [, { timestamp }]) => Math.max(max, timestamp), 0);
  writer.u32(at.mesh).u64(at.base).varint(at.markMs).varint(newest).varint(all.length);
  for (const [origin, { timestamp, start, recovered }] of all) {
    writer.id(origin).varint(newest - timestamp);
    // A peer may have told what cannot be.
    const isKnown = start !== UNKNOWN_START && recovered < timestamp;
    writer.id(isKnown ? start : UNKNOWN_START).varint(isKnown ? timestamp - recovered : 0);
  }
}

/** Reads what {@link writeWatchPosition} wrote; throws FormatError. */
export function readWatchPosition(reader: ByteReader): WatchPosition {
  const mesh = reader.u32();
  const base = reader.u64();
  const markMs = reader.varint();
  const newest = reader.varint();
  if (newest > TIMESTAMP_MAX) throw new FormatError("timestamp too great");
  const vector = new VersionVector();
  let last = "";
  const count = reader.count(18);
  for (let index = 0; index < count; index += 1) {
    const origin = reader.id() as ReplicaId;
    if (origin <= last) throw new FormatError("origins not sorted");
    last = origin;
    const timestamp = newest - reader.varint();
    if (timestamp <= 0) throw new FormatError("timestamp below zero");
    vector.advance(origin, readTold(reader, timestamp));
  }
  return { vector, markMs, base, mesh };
}

function readTold(reader: ByteReader, timestamp: Timestamp): Position {
  const start = reader.id() as StartId;
  const recovered = timestamp - reader.varint();
  if (recovered < 0) throw new FormatError("no such start");
  return start === UNKNOWN_START ? positionAt(timestamp) : { timestamp, start, recovered };
}
