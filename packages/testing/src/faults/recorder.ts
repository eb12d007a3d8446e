/** Keeps what the clients of a run know, round by round, and hands it to the checkers. */
import type { FoundEntry, History, ReadAnswer, WriteAttempt } from "../checkers/history.ts";
import type { Subject } from "./cluster.ts";

/** The place of a server when an operation on it began. */
export interface Place {
  readonly subject: Subject;
  readonly epoch: number;
  readonly isBlind: boolean;
}

/** What became of one write of an operation. */
export interface WriteResult {
  readonly key: string;
  readonly value: string | undefined;
  readonly outcome: WriteAttempt["outcome"];
  readonly version: string;
}

interface KeptWrite extends Omit<WriteAttempt, "isObliged" | "outcome" | "version"> {
  isObliged: boolean;
  outcome: WriteAttempt["outcome"];
  version: string;
  /** How many replicas had it, durably, when it was acknowledged. */
  readonly replicas: number;
}

/** The history of the round under way, after what earlier rounds left. */
export class Recorder {
  #writes: KeptWrite[] = [];
  #reads: ReadAnswer[] = [];
  /** Given to operations during which their server's directory changed: nothing can be compared with them. */
  #loneEpoch = -1;
  #values = 0;
  /** Of all rounds. */
  readonly totals = { acknowledged: 0, refused: 0, unknown: 0, reads: 0, twins: 0 };

  /** A value that was never given before, so that it names its write. */
  newValue(): string {
    this.#values += 1;
    return `v${this.#values}`;
  }

  /** Whether a value has been given to a write. */
  isGiven(value: string): boolean {
    return /^v[1-9]\d*$/.test(value) && Number(value.slice(1)) <= this.#values;
  }

  /** The place of an operation that begins now. */
  static placeOf(subject: Subject): Place {
    return { subject, epoch: subject.epoch, isBlind: subject.isBlind };
  }

  /** Notes the writes of one operation, which has ended now. */
  wrote(place: Place, invokedAtMs: number, replicas: number, results: readonly WriteResult[]): void {
    const endedAtMs = performance.now();
    const epoch = this.#epochOf(place);
    for (const result of results) {
      if (result.outcome === "ok") this.totals.acknowledged += 1;
      else if (result.outcome === "fail") this.totals.refused += 1;
      else this.totals.unknown += 1;
      const server = place.subject.name;
      this.#writes.push({ ...result, server, epoch, invokedAtMs, endedAtMs, isObliged: true, replicas });
    }
  }

  /** Notes a read that was answered now; one during which the directory changed says nothing. */
  answered(place: Place, invokedAtMs: number, key: string, entry: FoundEntry | undefined): void {
    const { subject, epoch } = place;
    this.totals.reads += 1;
    if (this.#epochOf(place) !== epoch) return;
    this.#reads.push({
      server: subject.name,
      epoch,
      key,
      invokedAtMs,
      endedAtMs: performance.now(),
      entry,
    });
  }

  #epochOf({ subject, epoch, isBlind }: Place): number {
    if (subject.epoch === epoch && !subject.isBlind && !isBlind) return epoch;
    this.#loneEpoch -= 1;
    return this.#loneEpoch;
  }

  /**
   * What is to be judged. What only a destroyed server had acknowledged, before its directory was what it is now, need
   * not be there any more.
   */
  history(destroyed: Subject | undefined): History {
    for (const write of this.#writes) {
      if (write.server === destroyed?.name && write.epoch !== destroyed.epoch && write.replicas < 2)
        write.isObliged = false;
    }
    return { writes: this.#writes, reads: this.#reads };
  }

  /**
   * Two live copies of one directory, in one millisecond and not told apart yet, may give one version to two writes. Both
   * stay, the one under the version of whoever adopts it: of which write the version is cannot be said.
   * @param copies names of the two servers
   */
  uncertain(copies: readonly string[]): void {
    const owners = new Map<string, KeptWrite>();
    for (const write of this.#writes) {
      if (write.outcome !== "ok" || !copies.includes(write.server)) continue;
      const owner = owners.get(write.version);
      owners.set(write.version, write);
      if (owner === undefined || owner.server === write.server) continue;
      this.totals.twins += 1;
      for (const twin of [owner, write]) {
        twin.outcome = "unknown";
        twin.version = "";
      }
    }
  }

  /**
   * Begins the next round at rest: of each key the greatest version that was acknowledged or is there now is all that
   * matters, besides writes with an unknown end, which some server may carry out yet: for one round more.
   */
  turn(entries: ReadonlyMap<string, FoundEntry>): void {
    const greatest = new Map<string, KeptWrite>();
    const unknown: KeptWrite[] = [];
    for (const write of this.#writes) {
      if (write.outcome === "unknown") unknown.push(write);
      if (write.outcome !== "ok") continue;
      const known = greatest.get(write.key);
      if (known === undefined || write.version > known.version) greatest.set(write.key, write);
    }
    const kept: KeptWrite[] = unknown.filter(({ server }) => server !== PAST);
    for (const [key, write] of greatest) {
      const found = entries.get(key);
      kept.push(past(key, found?.value, found?.version ?? write.version));
    }
    for (const [key, { value, version }] of entries) {
      if (!greatest.has(key)) kept.push(past(key, value, version));
    }
    this.#writes = kept.map((write) => (write.outcome === "unknown" ? { ...write, server: PAST } : write));
    this.#reads = [];
  }
}

/** Stands for what was so when the round began. */
const PAST = "earlier round";
let pastEpoch = 0;

function past(key: string, value: string | undefined, version: string): KeptWrite {
  pastEpoch -= 1;
  const times = { invokedAtMs: 0, endedAtMs: 0 };
  // Every one in an epoch of its own: their order says nothing.
  return {
    ...times,
    server: PAST,
    epoch: pastEpoch,
    key,
    value,
    outcome: "ok",
    version,
    isObliged: true,
    replicas: 9,
  };
}
