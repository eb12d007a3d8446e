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
  /** Puts that nothing here supersedes, as far as that was looked at: what is superseded stays so. */
  open: Issued[];
  /** The latest original, and the latest of another write than that. */
  latest: readonly [Issued, Issued | undefined];
}

export class Holdings {
  readonly keys = new Map<KeyText, HeldKey>();
  readonly #all = new Set<Issued>();
  identity: IdentityView | undefined;
  progress: ProgressView | undefined;
  /** Where a successor under construction copies from. */
  source: Machine | undefined;
  /** What the source had when its directory was replaced, if it was. */
  sourceHeld: Holdings | undefined;
  /** Entries have been taken over from the source. */
  hasInherited = false;
  lastWallMs = 0;
  /** Another object whenever the entries change; and that of the replica which was last found to show the same. */
  entriesState: object = {};
  equalTo: object | undefined;

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
      this.keys.set(key, {
        records: [issued],
        writes,
        covered: issued.seen.clone(),
        best: issued,
        open: issued.record.isDelete ? [] : [issued],
        latest: [issued, undefined],
      });
      return undefined;
    }
    held.records.push(issued);
    if (!issued.record.isDelete) held.open.push(issued);
    held.latest = laterOf(held.latest, issued);
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
    for (const [key, held] of this.keys) {
      const { records, writes, covered, open } = held;
      copy.keys.set(key, {
        ...held,
        records: [...records],
        writes: writes.clone(),
        covered: covered.clone(),
        open: [...open],
      });
    }
    copy.identity = this.identity;
    copy.progress = this.progress;
    copy.source = this.source;
    copy.sourceHeld = this.sourceHeld;
    copy.hasInherited = this.hasInherited;
    copy.lastWallMs = this.lastWallMs;
    return copy;
  }
}

/**
 * Whether some other record here supersedes a write: its author had seen the write, or wrote when the write's deadline
 * had passed. What the write's own author had seen came before it, however far ahead the clocks were.
 */
export function isSuperseded(issued: Issued, known: HeldKey): boolean {
  const { record, number } = issued;
  if (known.covered.has(number)) return true;
  if (record.expiresAtMs === 0) return false;
  const deadline = timestampFromMs(record.expiresAtMs);
  const [first, second] = known.latest;
  const latest = first.number === number ? second : first;
  if (latest === undefined || writtenAt(latest) < deadline) return false;
  return known.records.some((other) => wroteAfterDeadline(other, issued));
}

/** Whether a record is of another write, made when the deadline of the issued one had passed. */
export function wroteAfterDeadline(other: Issued, { record, number, seen }: Issued): boolean {
  if (record.expiresAtMs === 0 || other.number === number || seen.has(other.number)) return false;
  return writtenAt(other) >= timestampFromMs(record.expiresAtMs);
}

function laterOf(
  [first, second]: readonly [Issued, Issued | undefined],
  issued: Issued,
): readonly [Issued, Issued | undefined] {
  if (writtenAt(issued) > writtenAt(first))
    // One write may be adopted again: under a clock that ran ahead, each adoption has a time of its own.
    return [issued, issued.number === first.number ? second : first];
  if (issued.number === first.number) return [first, second];
  return [first, second === undefined || writtenAt(issued) > writtenAt(second) ? issued : second];
}

/** When a write was made; under a clock that ran ahead, when it was adopted. */
function writtenAt({ record, original }: Issued): number {
  return Math.min(record.timestamp, original.record.timestamp);
}

/** The puts of a key that nothing here supersedes. */
export function openPuts(known: HeldKey): readonly Issued[] {
  known.open = known.open.filter((issued) => !isSuperseded(issued, known));
  return known.open;
}
