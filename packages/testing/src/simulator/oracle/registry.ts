/** Every record ever issued anywhere, and what its writer had seen when it wrote: the truth that replicas are judged by. */
import {
  type Adoption,
  type KeyText,
  type ReplicaId,
  settlingChecksum,
  type StartId,
  strayOrigin,
  type Timestamp,
  timestampFromMs,
  type WriteRecord,
} from "@meshkv/core";
import { Violation } from "../violation.ts";
import { type NumberSet } from "./number-set.ts";
import { VersionIndex } from "./version-index.ts";

/** One record as it was issued by one origin. */
export interface Issued {
  readonly record: WriteRecord;
  /** The process starts that issued it: the branches of the origin's life. Copies of one directory may write the same. */
  readonly starts: StartId[];
  /** The write that was adopted; itself when it is no adoption. */
  readonly original: Issued;
  /** Among the writes of its key; adoptions share the number of their original. */
  readonly number: number;
  /** Numbers of the writes of the key that the author had seen. */
  readonly seen: NumberSet;
  /** It was durable at its origin at some time. */
  isDurable: boolean;
  isAcknowledged: boolean;
  /** A replica that had it, or an adoption of it, has forgotten that. */
  isForgotten: boolean;
  /** A replica has ended the retention of the write, which had lost there; kept at the original. */
  isRetired: boolean;
}

/** The order of ranks, written from the definition in section 1 of the replication rules. */
export function compareIssued(a: Issued, b: Issued): number {
  const rank = (r: WriteRecord): number => (r.adopted ? r.adopted.rank : r.timestamp);
  const raised = (r: WriteRecord): number => (r.adopted?.raised === true ? 1 : 0);
  const original = (r: WriteRecord): number => (r.adopted ? r.adopted.timestamp : r.timestamp);
  const [x, y] = [a.record, b.record];
  return (
    rank(x) - rank(y) ||
    raised(x) - raised(y) ||
    original(x) - original(y) ||
    x.timestamp - y.timestamp ||
    (x.origin < y.origin ? -1 : x.origin > y.origin ? 1 : 0)
  );
}

export class Registry {
  readonly #issued = new VersionIndex<Issued>();
  /** Under the origin that a record has once its directory has turned out to be a copy. */
  readonly #strays = new VersionIndex<Issued>();
  readonly #unnamedStrays: { readonly issued: Issued; readonly start: StartId }[] = [];
  /** By its name the delete that was first stated to settle a write. */
  readonly #settling = new VersionIndex<Issued>();
  readonly #told = new VersionIndex<number>();
  readonly #byOrigin = new Map<ReplicaId, Issued[]>();
  readonly #writesOfKey = new Map<KeyText, number>();
  readonly #forgotten = new Map<KeyText, Issued[]>();
  /** Directories were copied or put back: until the copies meet, one version may name two records. */
  allowsForks = false;

  #named({ timestamp, origin, checksum }: Adoption): Issued | undefined {
    const issued = this.#issued.get(timestamp, origin, checksum);
    if (issued !== undefined || !this.allowsForks) return issued;
    for (const { issued: stray, start } of this.#unnamedStrays.splice(0)) {
      const { record } = stray;
      this.#strays.set(record.timestamp, strayOrigin(record.origin, start), record.checksum, stray);
    }
    return this.#strays.get(timestamp, origin, checksum);
  }

  find(record: WriteRecord): Issued | undefined {
    return this.#issued.get(record.timestamp, record.origin, record.checksum);
  }

  /** The record, which must have been issued. */
  get(record: WriteRecord): Issued {
    const issued = this.find(record);
    if (issued === undefined) {
      throw new Violation(
        "always-honest",
        `nobody issued ${record.timestamp}@${record.origin} of ${record.key}`,
      );
    }
    return issued;
  }

  /** A version was told to a client before it was durable: it must never name another record (rule W4). */
  tell(record: WriteRecord): void {
    this.#checkTold(record);
    this.#told.set(record.timestamp, record.origin, record.checksum, record.checksum);
  }

  #checkTold(record: WriteRecord): void {
    const told = this.#told.latest(record.timestamp, record.origin);
    if (told === undefined || told === record.checksum || this.allowsForks) return;
    throw new Violation(
      "always-no-reuse",
      `${versionOf(record)} was told to a client and names another record now`,
    );
  }

  /** Notes a record at the moment in which its origin makes it. */
  issue(record: WriteRecord, start: StartId, seen: NumberSet): Issued {
    const other = this.#issued.latest(record.timestamp, record.origin);
    // What was lost before anybody could see it never was.
    if (
      other !== undefined &&
      other.record.checksum !== record.checksum &&
      other.isDurable &&
      !this.allowsForks
    ) {
      throw new Violation("always-no-reuse", `${versionOf(record)} names two records`);
    }
    this.#checkTold(record);
    const { adopted, key } = record;
    const source =
      adopted &&
      (this.#named(adopted) ?? this.#settling.get(adopted.timestamp, adopted.origin, adopted.checksum));
    const settled = source === undefined ? this.#settledBy(record) : undefined;
    if (adopted !== undefined && source === undefined && settled === undefined) {
      throw new Violation("always-honest", `${versionOf(record)} adopts what nobody issued`);
    }
    const number = source === undefined ? (this.#writesOfKey.get(key) ?? 0) : source.number;
    if (source === undefined) this.#writesOfKey.set(key, number + 1);
    const issued = {
      record,
      starts: [start],
      number,
      seen: source?.seen ?? (settled === undefined ? seen : seenWith(settled)),
      isDurable: false,
      isAcknowledged: false,
      isForgotten: false,
      isRetired: false,
    } as Omit<Issued, "original"> & { original: Issued };
    issued.original = (source ?? settled)?.original ?? issued;
    if (adopted !== undefined && settled !== undefined)
      this.#settling.set(adopted.timestamp, adopted.origin, adopted.checksum, issued);
    this.#issued.set(record.timestamp, record.origin, record.checksum, issued);
    // Should the directory turn out to be a copy, its writes are adopted under the name of this start.
    this.#unnamedStrays.push({ issued, start });
    this.#insert(issued);
    return issued;
  }

  /**
   * The write that a delete states to be settled: somebody who had seen it must have written since, or it had lost, and
   * the time for which losers are kept was over.
   */
  #settledBy({ adopted, isDelete, key, timestamp }: WriteRecord): Issued | undefined {
    if (adopted === undefined || !isDelete) return undefined;
    const settled = this.#named({ ...adopted, checksum: settlingChecksum(adopted.checksum) });
    if (settled === undefined || settled.original.isRetired) return settled;
    if (this.#isSuperseded(settled) || isOverAt(settled, timestamp)) return settled;
    throw new Violation(
      "always-honest",
      `${versionOf(settled.record)} of ${key} is settled, and nobody had seen it`,
    );
  }

  #isSuperseded({ number, record }: Issued): boolean {
    for (const all of this.#byOrigin.values())
      if (all.some((other) => other.record.key === record.key && other.seen.has(number))) return true;
    return false;
  }

  /** An origin issues in ascending order; copies of one directory, and what was lost, do not keep to it. */
  #insert(issued: Issued): void {
    const { origin, timestamp } = issued.record;
    const all = this.#byOrigin.get(origin);
    if (all === undefined) {
      this.#byOrigin.set(origin, [issued]);
      return;
    }
    let index = all.length;
    while (index > 0 && (all[index - 1]?.record.timestamp ?? 0) > timestamp) index -= 1;
    all.splice(index, 0, issued);
  }

  /** A live copy of the origin's directory issues the same bytes: whoever has the one has the other. */
  issueAgain(issued: Issued, start: StartId, seen: NumberSet): void {
    issued.starts.push(start);
    issued.seen.addAll(seen);
    this.#unnamedStrays.push({ issued, start });
  }

  /** A replica that had the record, and nothing else of its key, has forgotten it. */
  forget(record: WriteRecord): void {
    const issued = this.get(record);
    if (issued.isForgotten) return;
    issued.isForgotten = true;
    issued.original.isForgotten = true;
    const ofKey = this.#forgotten.get(record.key);
    if (ofKey === undefined) this.#forgotten.set(record.key, [issued]);
    else ofKey.push(issued);
  }

  /** Whether the author of the later record had seen the earlier one, itself or through others. */
  hadSeen(later: WriteRecord, earlier: WriteRecord): boolean {
    return this.get(later).seen.has(this.get(earlier).number);
  }

  /** Whether the author of something that a replica has forgotten, and that ended the key there, had seen the record. */
  isEndedByForgotten({ record: { key }, number }: Issued): boolean {
    return this.#forgotten.get(key)?.some(({ seen }) => seen.has(number)) === true;
  }

  /** Whether a replica that had the record, and nothing else of its key, has forgotten it: it competes with nothing more. */
  isForgotten(record: WriteRecord): boolean {
    return this.get(record).isForgotten;
  }

  /** Whether the record would have lost against one that a replica has forgotten. */
  isBelowForgotten(record: WriteRecord): boolean {
    const issued = this.get(record);
    return this.#forgotten.get(record.key)?.some((other) => compareIssued(other, issued) > 0) === true;
  }

  /**
   * Whether the record, or one whose author had seen it, was written under a clock that ran ahead, and was adopted since to
   * compete by less than another record (rule C5).
   */
  isLoweredBelow(record: WriteRecord, other: WriteRecord): boolean {
    const [{ number }, beats] = [this.get(record), this.get(other)];
    for (const all of this.#byOrigin.values()) {
      for (const issued of all) {
        const { adopted, key } = issued.record;
        if (key !== record.key || adopted === undefined || adopted.rank >= adopted.timestamp) continue;
        if (issued.number !== number && !issued.seen.has(number)) continue;
        if (compareIssued(beats, issued) >= 0) return true;
      }
    }
    return false;
  }

  /** All records of an origin with `after < timestamp <= upTo`, latest first. */
  *between(origin: ReplicaId, after: number, upTo: number): Generator<Issued> {
    const all = this.#byOrigin.get(origin) ?? [];
    for (let index = all.length - 1; index >= 0; index -= 1) {
      const issued = all[index];
      if (issued === undefined || issued.record.timestamp <= after) return;
      if (issued.record.timestamp <= upTo) yield issued;
    }
  }

  get size(): number {
    return this.#issued.size;
  }
}

/** Whether the deadline of a write had passed by then. */
function isOverAt({ record }: Issued, timestamp: Timestamp): boolean {
  return record.expiresAtMs > 0 && timestampFromMs(record.expiresAtMs) <= timestamp;
}

function seenWith({ seen, number }: Issued): NumberSet {
  const all = seen.clone();
  all.add(number);
  return all;
}

function versionOf({ timestamp, origin }: WriteRecord): string {
  return `${timestamp}@${origin}`;
}
