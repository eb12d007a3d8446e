/** A watcher in memory that goes on from its token at one host after the other, and its journal. */
import {
  compareRecords,
  conflictsOf,
  decodeWatchToken,
  formatVersion,
  type Host,
  isWatched,
  type KeyText,
  type ScanRequest,
  type ScanResult,
  type WatchCursor,
  type WatchEvent,
  type WatchTarget,
  type WatchTurn,
  type WriteRecord,
} from "@meshkv/core";
import { type FinalKey, type ToldEvent, WatchJournal } from "./watch-journal.ts";

/** What the chain needs of a host. */
export interface WatchedHost {
  readonly name: string;
  readonly host: Host;
  /** Reads the tables that serve. */
  scan(request: ScanRequest): ScanResult;
}

/** Everything that was ever written, by version, as the journal needs it. */
export class KnownRecords {
  readonly #records = new Map<string, WriteRecord>();

  add(record: WriteRecord): void {
    this.#records.set(formatVersion(record), record);
  }

  has(version: string): boolean {
    return this.#records.has(version);
  }

  compare(a: string, b: string): number {
    const [left, right] = [this.#records.get(a), this.#records.get(b)];
    if (left === undefined || right === undefined) throw new Error("unknown versions are not compared");
    return compareRecords(left, right);
  }
}

/** How a pull ended. */
export type PullEnd = Exclude<WatchTurn["kind"], "events" | "scan"> | "full";

/** One watcher over all its streams. */
export class WatchChain {
  readonly target: WatchTarget;
  readonly journal: WatchJournal;
  readonly #known: KnownRecords;
  readonly #initial: boolean;
  readonly #eventsMax: number;
  #token: Uint8Array | undefined;
  #cursor: { readonly cursor: WatchCursor; readonly at: WatchedHost; readonly process: Host } | undefined;
  /** Versions that were there when it began: not told, unless it has the state first. */
  readonly #old = new Set<string>();
  isSynced = false;

  /** @param eventsMax of one page */
  constructor(name: string, target: WatchTarget, initial: boolean, known: KnownRecords, eventsMax: number) {
    this.#eventsMax = eventsMax;
    this.target = target;
    this.#known = known;
    this.#initial = initial;
    this.journal = new WatchJournal(
      name,
      (version) => known.has(version),
      (a, b) => known.compare(a, b),
    );
  }

  /** Opens a stream: from the last token, or at the beginning. */
  resume(at: WatchedHost): void {
    this.drop();
    const { name } = at.host.active.replica.identity.mesh;
    const decoded = this.#token === undefined ? undefined : decodeWatchToken(this.#token, name);
    if (decoded !== undefined && "problem" in decoded) throw new Error(`the token ${decoded.problem}`);
    const request = {
      target: this.target,
      resume: decoded?.resume,
      initial: this.#initial,
      wake: () => {},
      eventsMax: this.#eventsMax,
    };
    this.#cursor = { cursor: at.host.watches.open(request), at, process: at.host };
    this.journal.resumed(at.name);
    if (decoded === undefined && !this.#initial) this.#rememberOld(at);
    this.#token = this.#cursor.cursor.token();
  }

  #rememberOld(at: WatchedHost): void {
    const { table } = at.host.active;
    const result = at.scan({ kind: "entries", after: undefined, bytesMax: 1e9 });
    if (result.kind !== "entries") return;
    for (const { winner } of result.entries) {
      const entry = table.entry(winner.key);
      for (const record of entry === undefined ? [] : [entry.winner, ...entry.siblings])
        for (const version of namesOf(record)) this.#old.add(version);
    }
  }

  /** The stream ends; what was told stays told. */
  drop(): void {
    this.#cursor?.cursor.close();
    this.#cursor = undefined;
  }

  /** The host at which the stream is open. */
  get at(): WatchedHost | undefined {
    return this.#cursor?.at;
  }

  /** Reads up to a number of pages. */
  pull(pagesMax = Number.POSITIVE_INFINITY): PullEnd | undefined {
    const current = this.#cursor;
    if (current === undefined) return undefined;
    const { cursor, at } = current;
    for (let pages = 0; pages < pagesMax; ) {
      const turn = cursor.next(false);
      switch (turn.kind) {
        case "scan":
          cursor.scanned(turn.generation, at.scan(turn.request));
          break;
        case "events":
          for (const event of turn.events) this.#tell(event);
          if (turn.synced) this.isSynced = true;
          this.#token = cursor.token();
          pages += 1;
          break;
        case "ended":
          this.drop();
          return turn.kind;
        default:
          this.#token = cursor.token();
          return turn.kind;
      }
    }
    return "full";
  }

  #tell({ kind, entry, previous }: WatchEvent): void {
    this.#known.add(entry.winner);
    if (previous !== undefined) this.#known.add(previous);
    const event: ToldEvent = {
      kind,
      key: entry.winner.key,
      version: formatVersion(entry.winner),
      loser: kind === "conflict" && previous !== undefined ? formatVersion(previous) : undefined,
    };
    this.journal.told(event);
  }

  /** Judges what was told against the state of a host at rest. */
  judge(at: WatchedHost, nowMs: number): void {
    const result = at.scan({ kind: "entries", after: undefined, bytesMax: 1e9 });
    if (result.kind !== "entries") throw new Error("the entries cannot be read");
    const finals: FinalKey[] = [];
    for (const entry of result.entries) {
      const { winner } = entry;
      if (!isWatched(this.target, winner.key as KeyText)) continue;
      finals.push({
        key: winner.key,
        version: formatVersion(winner),
        isDelete: winner.isDelete,
        isExpired: winner.expiresAtMs > 0 && winner.expiresAtMs <= nowMs,
        losers: conflictsOf(entry).map(namesOf),
      });
    }
    this.journal.atRest(finals, (version) => !this.#old.has(version));
  }
}

/** The versions under which a write travels. */
function namesOf(record: WriteRecord): string[] {
  const { adopted } = record;
  return adopted === undefined ? [formatVersion(record)] : [formatVersion(record), formatVersion(adopted)];
}
