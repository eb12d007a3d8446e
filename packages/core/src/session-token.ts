/**
 * What a client has seen, so that any replica can tell whether it has seen as much: per origin the latest *record* that
 * the client wrote or was shown (session guarantees, Terry et al., 1994). Idle claims of a replica are not in it: they
 * say nothing that a client saw, and would make it wait for nothing.
 *
 * What was shown need not be a record that still exists. Where a reader found no entry, a delete may have been forgotten;
 * then everything up to the horizon is noted for every origin. All members have that, so it makes nobody wait who is a
 * member; but a replica that was removed while it was cut off, and does not know it, may lack the delete.
 *
 * A timestamp alone does not name a record where a directory was restored or copied: both copies go on under one id
 * (rule M5). So a position also names the process start in which it was written, as far as that is known.
 *
 * ```
 * token    = u8 version (1), u32 mesh, varint count, count * (id origin, u64 timestamp, u32 start), u32 checksum
 * mesh     = CRC-32C of the mesh's name: meshes of one name may meet, others never do
 * start    = both halves of the start id, XORed; 0: not known
 * checksum = CRC-32C of all before it
 * ```
 */
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import type { Entry } from "./entry.ts";
import { type ReplicaId, type StartId, UNKNOWN_START } from "./ids.ts";
import { SESSION_ORIGINS_MAX } from "./limits.ts";
import { type Position, positionWithin } from "./position.ts";
import type { Replica } from "./replica/replica.ts";
import { hasTaken } from "./session/coverage.ts";
import type { Timestamp } from "./timestamp.ts";
import type { Version } from "./version.ts";

const VERSION = 1;
const ORIGIN_BYTES = 8 + 8 + 4;
const OVERHEAD_BYTES = 1 + 4 + 2 + 4;
/** No token is longer, in bytes. */
export const SESSION_TOKEN_BYTES_MAX = OVERHEAD_BYTES + SESSION_ORIGINS_MAX * ORIGIN_BYTES;

/** Length of the token of a session that has seen one record, in bytes. */
export const SESSION_TOKEN_BYTES_OF_ONE = 1 + 4 + 1 + ORIGIN_BYTES + 4;

/** What of a replica's state a token is made from, and judged by. */
export type ReplicaStanding = Pick<
  Replica,
  "id" | "vector" | "durableVector" | "members" | "durableMembers" | "horizon" | "ownPosition"
>;

/** The latest record of one origin that a session has seen. */
interface Seen {
  readonly timestamp: Timestamp;
  /** Print of the id of the start that wrote it; 0 when that is not known. */
  readonly start: number;
}

/** What a token's bytes say, or what is wrong with them. */
export type SessionTokenResult = { readonly token: SessionToken } | { readonly problem: string };

/** What one session has seen. Changes in place. Nothing in it ever reaches a replica's clock or vector. */
export class SessionToken {
  readonly #mesh: number;
  readonly #seen = new Map<ReplicaId, Seen>();

  /** A session that has seen nothing yet, in a mesh of this name. */
  constructor(meshName: string) {
    this.#mesh = meshNamePrint(meshName);
  }

  /** Reads a token. Never throws; what is wrong is said as the end of a sentence about the token. */
  static decode(bytes: Uint8Array, meshName: string): SessionTokenResult {
    const garbled = { problem: "is no token that a server has answered: send it as it came, or none" };
    if (bytes.length < OVERHEAD_BYTES - 1 || bytes.length > SESSION_TOKEN_BYTES_MAX) return garbled;
    const token = new SessionToken(meshName);
    try {
      const reader = new ByteReader(bytes);
      const version = reader.u8();
      const mesh = reader.u32();
      if (new ByteReader(bytes, bytes.length - 4).u32() !== crc32c(bytes, 0, bytes.length - 4))
        return garbled;
      if (version !== VERSION)
        return { problem: "comes from another version of meshkv: begin a new session" };
      if (mesh !== token.#mesh) return { problem: "comes from another mesh: begin a new session" };
      token.#read(reader);
      return { token };
    } catch (error) {
      if (error instanceof FormatError) return garbled;
      throw error;
    }
  }

  #read(reader: ByteReader): void {
    const count = reader.count(ORIGIN_BYTES);
    let last = "";
    for (let index = 0; index < count; index += 1) {
      const origin = reader.id() as ReplicaId;
      if (origin <= last) throw new FormatError("origins not sorted");
      last = origin;
      this.#seen.set(origin, { timestamp: reader.u64(), start: reader.u32() });
    }
    reader.u32();
    reader.end();
  }

  /** Origins of which something was seen. */
  get size(): number {
    return this.#seen.size;
  }

  /** What was seen, as versions, in no particular order. */
  versions(): Version[] {
    return Array.from(this.#seen, ([origin, { timestamp }]) => ({ origin, timestamp }));
  }

  /**
   * The session saw a record. `start` is where it was written, if known; undefined also for a record that a crash may
   * still take away, since the session is to go on then.
   */
  saw({ origin, timestamp }: Version, start: StartId | undefined): void {
    const known = this.#seen.get(origin);
    if (known !== undefined && known.timestamp >= timestamp) return;
    this.#seen.set(origin, { timestamp, start: start === undefined ? 0 : startPrint(start) });
  }

  /** The session saw everything that the other did. */
  merge(other: SessionToken): void {
    for (const [origin, seen] of other.#seen) {
      const known = this.#seen.get(origin);
      if (known === undefined || known.timestamp < seen.timestamp) this.#seen.set(origin, seen);
    }
  }

  /** Whether both have seen the same. */
  equals(other: SessionToken): boolean {
    if (this.#mesh !== other.#mesh || this.#seen.size !== other.#seen.size) return false;
    for (const [origin, { timestamp, start }] of this.#seen) {
      const theirs = other.#seen.get(origin);
      if (theirs?.timestamp !== timestamp || theirs.start !== start) return false;
    }
    return true;
  }

  /** The session was shown a key: its entry with all its records, or that there is none. */
  sawEntry(entry: Entry | undefined, replica: ReplicaStanding): void {
    if (entry === undefined) return this.sawForgotten(replica);
    this.sawVersion(entry.winner, replica);
    for (const sibling of entry.siblings) this.sawVersion(sibling, replica);
  }

  /** The session saw a record that the replica holds. */
  sawVersion(version: Version, replica: ReplicaStanding): void {
    this.saw(version, startOf(version, replica));
  }

  /** The session saw what is left after the replica has forgotten; see the head of this file. */
  sawForgotten(replica: ReplicaStanding): void {
    const { horizon } = replica;
    for (const [origin, position] of replica.durableVector.entries()) {
      const timestamp = Math.min(position.timestamp, horizon);
      if (timestamp > 0) this.sawVersion({ origin, timestamp }, replica);
    }
  }

  /**
   * Something that the session has seen and the replica does not have durably; undefined when it has all. The writes of
   * a replica that came back under another id count as had where the note of its succession says so (rule M2).
   */
  missingAt(replica: ReplicaStanding): Version | undefined {
    for (const [origin, seen] of this.#seen) {
      if (!isHeld(origin, seen, replica)) return { origin, timestamp: seen.timestamp };
    }
    return undefined;
  }

  /**
   * The token's bytes. Beyond what a token holds, removed origins are left out, the oldest writes first: every member
   * has those for long; only a replica that was removed and has not heard of it could show something older.
   */
  encode(replica: ReplicaStanding): Uint8Array {
    let all = [...this.#seen];
    if (all.length > SESSION_ORIGINS_MAX) {
      const { members } = replica;
      const weight = ([origin, { timestamp }]: [ReplicaId, Seen]): number =>
        members.isRemoved(origin) ? timestamp : Number.POSITIVE_INFINITY;
      all = all.sort((a, b) => weight(b) - weight(a) || 0).slice(0, SESSION_ORIGINS_MAX);
    }
    if (all.length > 1) all.sort(([a], [b]) => (a < b ? -1 : 1));
    const writer = new ByteWriter(OVERHEAD_BYTES + all.length * ORIGIN_BYTES);
    writer.u8(VERSION).u32(this.#mesh).varint(all.length);
    for (const [origin, { timestamp, start }] of all) writer.id(origin).u64(timestamp).u32(start);
    return writer.u32(crc32c(writer.written())).finish();
  }
}

/**
 * Writes the token of a session that has seen one record and nothing else: what {@link SessionToken} encodes after
 * `saw`, made without it, since that is what most calls answer.
 * @param target takes {@link SESSION_TOKEN_BYTES_OF_ONE} bytes from its beginning on
 * @param replica as in `sawVersion`; undefined: the start is not named, as `saw` without one
 */
export function writeTokenOfOne(
  target: Uint8Array,
  meshName: string,
  version: Version,
  replica: ReplicaStanding | undefined,
): void {
  const { origin, timestamp } = version;
  const start = replica === undefined ? undefined : startOf(version, replica);
  target[0] = VERSION;
  writeU32(target, 1, meshNamePrint(meshName));
  target[5] = 1;
  for (let index = 0; index < 8; index += 1) {
    target[6 + index] =
      (hexValue(origin.charCodeAt(index * 2)) << 4) | hexValue(origin.charCodeAt(index * 2 + 1));
  }
  writeU32(target, 14, Math.floor(timestamp / 0x1_0000_0000));
  writeU32(target, 18, timestamp >>> 0);
  writeU32(target, 22, start === undefined ? 0 : startPrint(start));
  writeU32(target, 26, crc32c(target, 0, 26));
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function hexValue(code: number): number {
  return code <= 57 ? code - 48 : code - 87;
}

/** The start in which a record was written, as far as this replica can tell; UNKNOWN_START has a print of 0. */
function startOf({ origin, timestamp }: Version, replica: ReplicaStanding): StartId | undefined {
  const position = origin === replica.id ? replica.ownPosition(timestamp) : replica.vector.position(origin);
  if (timestamp > position.timestamp) return undefined;
  return timestamp > position.recovered ? position.start : positionWithin(position, timestamp).start;
}

function isHeld(origin: ReplicaId, seen: Seen, replica: ReplicaStanding): boolean {
  const { durableVector, durableMembers } = replica;
  if (origin === replica.id) {
    if (!durableVector.covers(origin, seen.timestamp)) return false;
    return continues(replica.ownPosition(seen.timestamp), seen);
  }
  if (isHeldBy(durableVector.position(origin), seen)) return true;
  for (const [, { succession }] of durableMembers.entries()) {
    if (succession === undefined || !isHeldBy(succession.offered.position(origin), seen)) continue;
    if (hasTaken(durableVector, succession)) return true;
  }
  return false;
}

/** Whether a replica that is at the position has the record. */
function isHeldBy(position: Position, seen: Seen): boolean {
  return position.timestamp >= seen.timestamp && continues(position, seen);
}

/** Whether the position is on the branch of the origin's life in which the record was written. */
function continues(position: Position, seen: Seen): boolean {
  if (seen.start === 0 || startPrint(position.start) === seen.start) return true;
  // What a start began with is not enough: of a copied directory, both branches may have been continued since.
  const { start } = positionWithin(position, seen.timestamp);
  return start === UNKNOWN_START || startPrint(start) === seen.start;
}

function startPrint(start: StartId): number {
  if (lastStart?.start !== start) {
    const print = (Number.parseInt(start.slice(0, 8), 16) ^ Number.parseInt(start.slice(8), 16)) >>> 0;
    lastStart = { start, print };
  }
  return lastStart.print;
}

/** Nearly all that is written here is written in one start. */
let lastStart: { readonly start: StartId; readonly print: number } | undefined;

/** A mesh's name in 32 bits. */
export function meshNamePrint(name: string): number {
  if (lastPrint?.name !== name) lastPrint = { name, print: crc32c(new ByteWriter().text(name).finish()) };
  return lastPrint.print;
}

/** A process serves one mesh: its name is not looked at again for every call. */
let lastPrint: { readonly name: string; readonly print: number } | undefined;
