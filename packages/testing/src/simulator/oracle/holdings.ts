/** What one generation of one directory durably has accepted, kept beside it in the simplest form. */
import {
  type KeyText,
  type ReplicaId,
  type Timestamp,
  timestampFromMs,
  type VersionVector,
} from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { NumberSet } from "./number-set.ts";
import { compareIssued, type Issued } from "./registry.ts";
import type { IdentityView, ProgressView } from "./sections.ts";

/** All accepted records of one key. */
export interface HeldKey {
  readonly records: Issued[];
  /** Numbers of the writes that are here, under whatever version. */
  readonly writes: NumberSet;
  /** Numbers of the writes that some accepted record has seen. */
  readonly covered: NumberSet;
  /** The stupid fold: the greatest of all. */
  best: Issued;
}

export class Holdings {
  readonly keys = new Map<KeyText, HeldKey>();
  readonly #all = new Set<Issued>();
  identity: IdentityView | undefined;
  progress: ProgressView | undefined;
  /** Where a successor under construction copies from. */
  source: Machine | undefined;
  /** Entries have been taken over from the source. */
  hasInherited = false;
  lastWallMs = 0;

  has(issued: Issued): boolean {
    return this.#all.has(issued);
  }

  all(): ReadonlySet<Issued> {
    return this.#all;
  }

  get vector(): VersionVector | undefined {
    return this.progress?.vector;
  }

  get horizon(): Timestamp {
    return this.progress?.horizon ?? 0;
  }

  floor(origin: ReplicaId): Timestamp {
    return this.progress?.floors.get(origin) ?? 0;
  }

  /** Adds a record; returns the winner that it replaced, undefined when it replaced none. */
  accept(issued: Issued): Issued | undefined {
    if (this.#all.has(issued)) return undefined;
    this.#all.add(issued);
    const { key } = issued.record;
    const held = this.keys.get(key);
    if (held === undefined) {
      const writes = new NumberSet();
      writes.add(issued.number);
      this.keys.set(key, { records: [issued], writes, covered: issued.seen.clone(), best: issued });
      return undefined;
    }
    held.records.push(issued);
    held.writes.add(issued.number);
    held.covered.addAll(issued.seen);
    if (compareIssued(issued, held.best) <= 0) return undefined;
    const replaced = held.best;
    held.best = issued;
    return replaced;
  }

  clone(): Holdings {
    const copy = new Holdings();
    for (const issued of this.#all) copy.#all.add(issued);
    for (const [key, { records, writes, covered, best }] of this.keys) {
      copy.keys.set(key, { records: [...records], writes: writes.clone(), covered: covered.clone(), best });
    }
    copy.identity = this.identity;
    copy.progress = this.progress;
    copy.source = this.source;
    copy.hasInherited = this.hasInherited;
    copy.lastWallMs = this.lastWallMs;
    return copy;
  }
}

/**
 * Whether some other record here supersedes a write: its author had seen the write, or wrote when the write's deadline
 * had passed.
 */
export function isSuperseded({ record, number }: Issued, known: HeldKey): boolean {
  if (known.covered.has(number)) return true;
  if (record.expiresAtMs === 0) return false;
  const deadline = timestampFromMs(record.expiresAtMs);
  return known.records.some(
    (other) => other.number !== number && other.original.record.timestamp >= deadline,
  );
}
