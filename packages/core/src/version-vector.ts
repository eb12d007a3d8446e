/**
 * What a replica has of every origin's log. `get(o) = t` claims: this replica holds every write of origin `o` up to
 * `t`, or a record that beats it, or had it and forgot it below the horizon. Where directories are copied the name of an
 * origin can mean several branches of its life, so a vector also says which one the contexts of the records here mean, as
 * far as these name versions beyond `t`.
 */
import { type ByteReader, type ByteWriter, FormatError } from "./bytes.ts";
import { type ReplicaId, UNKNOWN_START } from "./ids.ts";
import { type Position, readPosition, writePosition, ZERO_POSITION } from "./position.ts";
import type { Timestamp } from "./timestamp.ts";

/** Per origin, a position. Changes in place: clone what is to be kept. */
export class VersionVector {
  readonly #positions: Map<ReplicaId, Position>;
  /** The furthest positions that contexts name beyond those; mostly none. */
  readonly #named = new Map<ReplicaId, Position>();

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
    const named = this.#named.get(origin);
    if (named !== undefined && named.timestamp <= position.timestamp) this.#named.delete(origin);
    return true;
  }

  /** How far the branch of an origin's life that its name means here is known, be it from its log or from contexts. */
  meant(origin: ReplicaId): Position {
    return this.#named.get(origin) ?? this.position(origin);
  }

  /** Notes what a context names; changes nothing where that is covered, or named already, or its branch is not known. */
  name(origin: ReplicaId, position: Position): void {
    if (position.start === UNKNOWN_START || this.meant(origin).timestamp >= position.timestamp) return;
    this.#named.set(origin, position);
  }

  /** The origins of which contexts name more than is covered, and how far. */
  named(): IterableIterator<[ReplicaId, Position]> {
    return this.#named.entries();
  }

  /** For each origin what its name means, in no particular order. */
  *branches(): Generator<[ReplicaId, Position]> {
    for (const origin of this.#positions.keys()) yield [origin, this.meant(origin)];
    for (const [origin, position] of this.#named) if (!this.#positions.has(origin)) yield [origin, position];
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
    const copy = this.covered();
    for (const [origin, position] of this.#named) copy.#named.set(origin, position);
    return copy;
  }

  /** A copy that says what is covered, and nothing of contexts. */
  covered(): VersionVector {
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

/**
 * `vector = varint count, count * (id origin, position)`, origins ascending. An origin that comes a second time: what
 * contexts name beyond its position, which is ZERO_POSITION where nothing is covered.
 */
export function writeVector(writer: ByteWriter, vector: VersionVector): void {
  const rows: [ReplicaId, Position][] = [...vector.origins()].map((origin) => [
    origin,
    vector.position(origin),
  ]);
  for (const [origin, position] of vector.named()) {
    if (vector.position(origin) === ZERO_POSITION) rows.push([origin, ZERO_POSITION]);
    rows.push([origin, position]);
  }
  rows.sort(([a, { timestamp: x }], [b, { timestamp: y }]) => (a < b ? -1 : a > b ? 1 : x - y));
  writer.varint(rows.length);
  for (const [origin, position] of rows) {
    writer.id(origin);
    writePosition(writer, position);
  }
}

/** Reads what {@link writeVector} wrote; throws FormatError. */
export function readVector(reader: ByteReader): VersionVector {
  const count = reader.count(33);
  const positions = new Map<ReplicaId, Position>();
  const named = new Map<ReplicaId, Position>();
  let last = "";
  for (let index = 0; index < count; index += 1) {
    const origin = reader.id() as ReplicaId;
    const position = readPosition(reader);
    const held = last === origin && !named.has(origin) ? positions.get(origin) : undefined;
    if (last >= origin && (held === undefined || held.timestamp >= position.timestamp))
      throw new FormatError("vector not sorted");
    last = origin;
    if (held === undefined) positions.set(origin, position);
    else named.set(origin, position);
    if (held?.timestamp === 0) positions.delete(origin);
  }
  const vector = new VersionVector(positions);
  for (const [origin, position] of named) vector.name(origin, position);
  return vector;
}
