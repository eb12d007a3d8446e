/**
 * What a replica has of every origin's log. `get(o) = t` claims: this replica holds every write of origin `o` up to
 * `t`, or a record that beats it, or had it and forgot it below the horizon.
 */
import { type ByteReader, type ByteWriter, FormatError } from "./bytes.ts";
import type { ReplicaId } from "./ids.ts";
import { type Position, readPosition, writePosition, ZERO_POSITION } from "./position.ts";
import type { Timestamp } from "./timestamp.ts";

/** Per origin, a position. Changes in place: clone what is to be kept. */
export class VersionVector {
  readonly #positions: Map<ReplicaId, Position>;

  constructor(positions: Iterable<readonly [ReplicaId, Position]> = []) {
    this.#positions = new Map(positions);
  }

  /** Origins that are named. */
  get size(): number {
    return this.#positions.size;
  }

  /** The timestamp up to which the origin is covered; 0 when it is unknown. */
  get(origin: ReplicaId): Timestamp {
    return this.#positions.get(origin)?.timestamp ?? 0;
  }

  /** The position of the origin; ZERO_POSITION when it is unknown. */
  position(origin: ReplicaId): Position {
    return this.#positions.get(origin) ?? ZERO_POSITION;
  }

  /** Whether everything of the origin up to the timestamp is covered. */
  covers(origin: ReplicaId, timestamp: Timestamp): boolean {
    return this.get(origin) >= timestamp;
  }

  /** Moves an origin forward; a position that is not ahead changes nothing. Returns whether it moved. */
  advance(origin: ReplicaId, position: Position): boolean {
    if (this.get(origin) >= position.timestamp) return false;
    this.#positions.set(origin, position);
    return true;
  }

  /** Moves every origin forward that the other has more of. */
  merge(other: VersionVector): void {
    for (const [origin, position] of other.#positions) this.advance(origin, position);
  }

  /** Whether both cover exactly the same timestamps. */
  equals(other: VersionVector): boolean {
    return this.includes(other) && other.includes(this);
  }

  /** Whether this covers everything that the other does. */
  includes(other: VersionVector): boolean {
    for (const [origin, { timestamp }] of other.#positions) if (this.get(origin) < timestamp) return false;
    return true;
  }

  /** A copy with a life of its own. */
  clone(): VersionVector {
    return new VersionVector(this.#positions);
  }

  /** The origins that are named, in no particular order. */
  origins(): IterableIterator<ReplicaId> {
    return this.#positions.keys();
  }

  /** Origins with their positions, in no particular order. */
  entries(): IterableIterator<[ReplicaId, Position]> {
    return this.#positions.entries();
  }
}

/** `vector = varint count, count * (id origin, position)`, origins ascending. */
export function writeVector(writer: ByteWriter, vector: VersionVector): void {
  writer.varint(vector.size);
  for (const origin of [...vector.origins()].sort()) {
    writer.id(origin);
    writePosition(writer, vector.position(origin));
  }
}

/** Reads what {@link writeVector} wrote; throws FormatError. */
export function readVector(reader: ByteReader): VersionVector {
  const count = reader.count(33);
  const positions: [ReplicaId, Position][] = [];
  let last = "";
  for (let index = 0; index < count; index += 1) {
    const origin = reader.id() as ReplicaId;
    if (last >= origin) throw new FormatError("vector not sorted");
    last = origin;
    positions.push([origin, readPosition(reader)]);
  }
  return new VersionVector(positions);
}
