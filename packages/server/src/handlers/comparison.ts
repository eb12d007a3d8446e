/** What two replicas that compare their tables ask each other. */
import {
  describeHeld,
  type Entry,
  type HeldEntry,
  isCompared,
  type KeyText,
  RangeSum,
  type ReplicaId,
  type Timestamp,
  type Version,
} from "@meshkv/core";

/** What of the tables is compared. */
export interface ComparisonScope {
  /** The mesh of the one that asks; a replica of another has nothing to compare. */
  readonly meshId: string;
  /** Puts whose deadline is not after this are left out, in Unix milliseconds. */
  readonly deadlinesAfterMs: number;
}

/** A part of the key space: greater than `after`, up to `last`; undefined for its ends. */
export interface Stretch {
  readonly after: KeyText | undefined;
  readonly last: KeyText | undefined;
}

/** A stretch that one side has added up. */
export interface StretchSum {
  /** The stretch ends with this key; undefined: with the table. */
  readonly last: KeyText | undefined;
  /** Compared entries. */
  readonly entries: number;
  readonly sum: Uint8Array;
}

/** Compared entries of a stretch. */
export interface StretchEntries {
  readonly entries: readonly HeldEntry[];
  /** The stretch goes on after this key; undefined: it is at its end. */
  readonly next: KeyText | undefined;
}

/** What a side holds under some keys. */
export interface HeldKeys {
  /** One per key, in order. */
  readonly entries: readonly HeldEntry[];
  /** What the side had of an origin before it read the entries. */
  readonly vectorOf: (origin: ReplicaId) => Timestamp;
  /** 32 hex digits. */
  readonly digest: string;
}

/** A whole table, read again at one position. */
export interface TableReport {
  /** Keys whose winner is a put. */
  readonly keys: number;
  /** As it is kept up with every write; 32 hex digits. */
  readonly digest: string;
  /** As the table gives it. */
  readonly computedDigest: string;
  readonly damagedRows: number;
}

/**
 * One of two replicas whose tables are compared. Every method throws `MeshkvError`: UNAVAILABLE when it cannot be
 * reached, WRONG_MESH or BEHIND when it has no state to compare.
 */
export interface ComparisonSide {
  /** Adds up a stretch that it chooses the end of. @param bytesMax of rows read */
  summarize(scope: ComparisonScope, after: KeyText | undefined, bytesMax: number): Promise<StretchSum>;
  /** Names the compared entries of a stretch, or of its beginning. @param bytesMax of rows read */
  describe(scope: ComparisonScope, stretch: Stretch, bytesMax: number): Promise<StretchEntries>;
  describeKeys(scope: ComparisonScope, keys: readonly KeyText[]): Promise<HeldKeys>;
  check(scope: ComparisonScope, signal: AbortSignal): Promise<TableReport>;
}

/** The durable table of this process's replica. Every method throws UNAVAILABLE while there is none. */
export interface ComparedTable {
  /** @throws MeshkvError BEHIND while the replica rejoins: what it serves meanwhile is an old state */
  identity(): { readonly replicaId: ReplicaId; readonly meshId: string };
  /** Entries after a key, ascending; damaged ones are left out, and told elsewhere. */
  read(
    after: KeyText | undefined,
    bytesMax: number,
  ): Promise<{ readonly entries: readonly Entry[]; readonly done: boolean }>;
  entry(key: KeyText): Entry | undefined;
  /** What it has of every origin now. */
  positions(): readonly Version[];
  /** 32 hex digits. */
  digest(): string;
  check(signal: AbortSignal): Promise<TableReport>;
}

/** What positions say of an origin; 0 where they say nothing. */
export function vectorFrom(positions: readonly Version[]): (origin: ReplicaId) => Timestamp {
  const timestamps = new Map(positions.map(({ origin, timestamp }) => [origin, timestamp]));
  return (origin) => timestamps.get(origin) ?? 0;
}

/** The side of this process's own replica. */
export class LocalSide implements ComparisonSide {
  readonly #table: ComparedTable;

  constructor(table: ComparedTable) {
    this.#table = table;
  }

  async summarize(
    { deadlinesAfterMs }: ComparisonScope,
    after: KeyText | undefined,
    bytesMax: number,
  ): Promise<StretchSum> {
    const { entries, done } = await this.#table.read(after, bytesMax);
    const sum = new RangeSum();
    for (const { winner } of entries) if (isCompared(winner, deadlinesAfterMs)) sum.add(winner);
    const last = done ? undefined : entries.at(-1)?.winner.key;
    return { last, entries: sum.entries, sum: sum.encode() };
  }

  /** Adds up a stretch whose end is given. */
  async sumOf(
    { deadlinesAfterMs }: ComparisonScope,
    { after, last }: Stretch,
    bytesMax: number,
  ): Promise<RangeSum> {
    const sum = new RangeSum();
    let from = after;
    for (;;) {
      const { entries, done } = await this.#table.read(from, bytesMax);
      for (const { winner } of entries) {
        if (last !== undefined && winner.key > last) return sum;
        if (isCompared(winner, deadlinesAfterMs)) sum.add(winner);
      }
      from = entries.at(-1)?.winner.key;
      if (done || from === undefined || from === last) return sum;
    }
  }

  async describe(
    { deadlinesAfterMs }: ComparisonScope,
    { after, last }: Stretch,
    bytesMax: number,
  ): Promise<StretchEntries> {
    const { entries, done } = await this.#table.read(after, bytesMax);
    const inside = last === undefined ? entries : entries.filter(({ winner }) => winner.key <= last);
    const next = inside.at(-1)?.winner.key;
    const isAtEnd = inside.length < entries.length || done || next === last;
    return {
      entries: inside
        .filter(({ winner }) => isCompared(winner, deadlinesAfterMs))
        .map((entry) => describeHeld(entry.winner.key, entry, deadlinesAfterMs)),
      next: isAtEnd ? undefined : next,
    };
  }

  async describeKeys(scope: ComparisonScope, keys: readonly KeyText[]): Promise<HeldKeys> {
    return this.held(scope, keys);
  }

  /** As `describeKeys`, at once. */
  held({ deadlinesAfterMs }: ComparisonScope, keys: readonly KeyText[]): HeldKeys {
    const vectorOf = vectorFrom(this.#table.positions());
    const entries = keys.map((key) => describeHeld(key, this.#table.entry(key), deadlinesAfterMs));
    return { entries, vectorOf, digest: this.#table.digest() };
  }

  check(_scope: ComparisonScope, signal: AbortSignal): Promise<TableReport> {
    return this.#table.check(signal);
  }
}
