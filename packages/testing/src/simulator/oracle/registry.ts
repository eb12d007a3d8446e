/** Every record ever issued anywhere, and what its writer had seen when it wrote: the truth that replicas are judged by. */
import { type KeyText, type ReplicaId, type StartId, strayOrigin, type WriteRecord } from "@meshkv/core";
import { Violation } from "../violation.ts";
import { type NumberSet } from "./number-set.ts";

/** One record as it was issued by one origin. */
export interface Issued {
  readonly record: WriteRecord;
  /** The process start that issued it: the branch of the origin's life. */
  readonly start: StartId;
  /** The write that was adopted; itself when it is no adoption. */
  readonly original: Issued;
  /** Among the writes of its key; adoptions share the number of their original. */
  readonly number: number;
  /** Numbers of the writes of the key that the author had seen. */
  readonly seen: NumberSet;
  /** It was durable at its origin at some time. */
  isDurable: boolean;
  isAcknowledged: boolean;
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
  readonly #byName = new Map<string, Issued>();
  readonly #byStray = new Map<string, Issued>();
  readonly #versions = new Map<string, Issued>();
  readonly #told = new Map<string, number>();
  readonly #byOrigin = new Map<ReplicaId, Issued[]>();
  readonly #writesOfKey = new Map<KeyText, number>();
  /** Directories were copied or put back: until the copies meet, one version may name two records. */
  allowsForks = false;

  #named(name: string): Issued | undefined {
    return this.#byName.get(name) ?? (this.allowsForks ? this.#byStray.get(name) : undefined);
  }

  find(record: WriteRecord): Issued | undefined {
    return this.#byName.get(nameOf(record.timestamp, record.origin, record.checksum));
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
    const version = `${record.timestamp}@${record.origin}`;
    this.#checkTold(version, record);
    this.#told.set(version, record.checksum);
  }

  #checkTold(version: string, record: WriteRecord): void {
    const told = this.#told.get(version);
    if (told !== undefined && told !== record.checksum && !this.allowsForks)
      throw new Violation("always-no-reuse", `${version} was told to a client and names another record now`);
  }

  /** Notes a record at the moment in which its origin makes it. */
  issue(record: WriteRecord, start: StartId, seen: NumberSet): Issued {
    const version = `${record.timestamp}@${record.origin}`;
    const other = this.#versions.get(version);
    // What was lost before anybody could see it never was.
    if (
      other !== undefined &&
      other.record.checksum !== record.checksum &&
      other.isDurable &&
      !this.allowsForks
    ) {
      throw new Violation("always-no-reuse", `${version} names two records`);
    }
    this.#checkTold(version, record);
    const { adopted, key } = record;
    const source = adopted && this.#named(nameOf(adopted.timestamp, adopted.origin, adopted.checksum));
    if (adopted !== undefined && source === undefined) {
      throw new Violation("always-honest", `${version} adopts what nobody issued`);
    }
    const number = source === undefined ? (this.#writesOfKey.get(key) ?? 0) : source.number;
    if (source === undefined) this.#writesOfKey.set(key, number + 1);
    const issued = {
      record,
      start,
      number,
      seen: source === undefined ? seen : source.seen,
      isDurable: false,
      isAcknowledged: false,
    } as Omit<Issued, "original"> & { original: Issued };
    issued.original = source === undefined ? issued : source.original;
    this.#byName.set(nameOf(record.timestamp, record.origin, record.checksum), issued);
    // Should the directory turn out to be a copy, its writes are adopted under the name of this start.
    this.#byStray.set(nameOf(record.timestamp, strayOrigin(record.origin, start), record.checksum), issued);
    this.#versions.set(version, issued);
    const ofOrigin = this.#byOrigin.get(record.origin);
    if (ofOrigin === undefined) this.#byOrigin.set(record.origin, [issued]);
    else ofOrigin.push(issued);
    return issued;
  }

  /** All records of an origin with `after < timestamp <= upTo`. */
  *between(origin: ReplicaId, after: number, upTo: number): Generator<Issued> {
    const all = this.#byOrigin.get(origin) ?? [];
    for (let index = all.length - 1; index >= 0; index -= 1) {
      const issued = all[index];
      if (issued === undefined) continue;
      const { timestamp } = issued.record;
      // Without forks an origin issues in ascending order.
      if (timestamp <= after && !this.allowsForks) return;
      if (timestamp > after && timestamp <= upTo) yield issued;
    }
  }

  get size(): number {
    return this.#byName.size;
  }
}

function nameOf(timestamp: number, origin: string, checksum: number): string {
  return `${timestamp}@${origin}#${checksum}`;
}
