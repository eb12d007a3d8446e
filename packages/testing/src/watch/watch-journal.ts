/**
 * Keeps everything that one watcher was told, across all its resumes, and judges it: what each event may say when it
 * comes, and at rest whether anything was left out. It knows nothing of how a watch works.
 */

/** An event in the words of the API. */
export interface ToldEvent {
  readonly kind: "put" | "delete" | "expire" | "conflict";
  readonly key: string;
  /** The winner's version. */
  readonly version: string;
  /** The loser's version, of a conflict. */
  readonly loser: string | undefined;
}

/** What a key is at rest. */
export interface FinalKey {
  readonly key: string;
  /** The winner's version, and whether it is a delete. */
  readonly version: string;
  readonly isDelete: boolean;
  /** Its deadline has passed, and every replica has noticed. */
  readonly isExpired: boolean;
  /** Versions of the losers that are shown as conflicts, and under which other versions they may have been told. */
  readonly losers: readonly (readonly string[])[];
}

/** What is wrong with a watch. */
export class WatchViolation extends Error {
  override name = "WatchViolation";
}

interface KeyJournal {
  /** Version of the last put or delete. */
  last: string | undefined;
  lastKind: ToldEvent["kind"] | undefined;
  /** Version whose expiry was told last, and in which stream. */
  expired: string | undefined;
  expiredIn: number;
  readonly versions: Set<string>;
  readonly conflicts: Set<string>;
  readonly losers: Set<string>;
}

/** The journal of one watcher. */
export class WatchJournal {
  readonly name: string;
  /** The version that a write was given was invoked by somebody. */
  readonly #isKnown: (version: string) => boolean;
  /** Order of two versions of one key, by which the greater wins. */
  readonly #compare: (a: string, b: string) => number;
  readonly #keys = new Map<string, KeyJournal>();
  #streams = 0;
  #events = 0;
  #log: string[] = [];
  readonly #linesMax: number;

  /** @param linesMax so much of what was told is kept, for people */
  constructor(
    name: string,
    isKnown: (version: string) => boolean,
    compare: (a: string, b: string) => number = (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    linesMax = 400,
  ) {
    this.#linesMax = linesMax;
    this.name = name;
    this.#isKnown = isKnown;
    this.#compare = compare;
  }

  /** Events that were told. */
  get events(): number {
    return this.#events;
  }

  /** Streams that were opened. */
  get streams(): number {
    return this.#streams;
  }

  /** What was told last, line by line. */
  get lines(): readonly string[] {
    return this.#log;
  }

  /** A new stream goes on where the last one ended. */
  resumed(where: string): void {
    this.#streams += 1;
    this.#note(`-- resumed at ${where}`);
  }

  told(event: ToldEvent): void {
    this.#events += 1;
    this.#note(
      `${event.kind} ${event.key} ${event.version}${event.loser === undefined ? "" : ` over ${event.loser}`}`,
    );
    if (!this.#isKnown(event.version)) this.#fail(`${event.key}: nobody wrote ${event.version}`);
    const key = this.#key(event.key);
    if (event.kind === "put" || event.kind === "delete") this.#winner(key, event);
    else if (event.kind === "expire") this.#expired(key, event);
    else this.#conflict(key, event);
  }

  #winner(key: KeyJournal, { key: name, version, kind }: ToldEvent): void {
    if (key.versions.has(version)) this.#fail(`${name}: ${version} was told twice`);
    if (key.last !== undefined && this.#compare(version, key.last) <= 0)
      this.#fail(`${name}: ${version} was told after ${key.last}`);
    key.versions.add(version);
    key.last = version;
    key.lastKind = kind;
  }

  #expired(key: KeyJournal, { key: name, version }: ToldEvent): void {
    if (key.last !== undefined && key.last !== version)
      this.#fail(`${name}: the expiry of ${version} was told after ${key.last}`);
    if (key.expired === version && key.expiredIn === this.#streams)
      this.#fail(`${name}: the expiry of ${version} was told twice in one stream`);
    key.expired = version;
    key.expiredIn = this.#streams;
  }

  #conflict(key: KeyJournal, { key: name, version, loser = "" }: ToldEvent): void {
    if (!this.#isKnown(loser)) this.#fail(`${name}: nobody wrote the loser ${loser}`);
    const pair = `${version} ${loser}`;
    if (key.conflicts.has(pair)) this.#fail(`${name}: the conflict ${pair} was told twice`);
    key.conflicts.add(pair);
    key.losers.add(loser);
  }

  /**
   * Says where a put or delete was told after a greater one, of those whose version is their place in the order; for
   * journals that were made with a comparison that cannot know which these are.
   */
  misordered(isOrdered: (version: string) => boolean): string[] {
    const found: string[] = [];
    for (const [name, { versions }] of this.#keys) {
      let greatest: string | undefined;
      for (const version of versions) {
        if (!isOrdered(version)) continue;
        if (greatest !== undefined && version < greatest)
          found.push(`watcher ${this.name}: ${name}: ${version} was told after ${greatest}`);
        else greatest = version;
      }
    }
    return found;
  }

  /**
   * Judges at rest, when everything has been told: every key that is watched.
   * @param isNews whether a version was written after the watch had begun (all are, for one that had the state first)
   */
  atRest(finals: Iterable<FinalKey>, isNews: (version: string) => boolean): void {
    const present = new Set<string>();
    for (const final of finals) {
      present.add(final.key);
      const key = this.#key(final.key);
      const wasTold = key.last === final.version;
      // The state first: a delete before it, or what had expired before it, is nothing to tell.
      const mayMiss = (final.isDelete || final.isExpired) && key.last === undefined;
      if (!wasTold && isNews(final.version) && !mayMiss)
        this.#fail(`${final.key} is ${final.version}, and ${key.last ?? "nothing"} was told last`);
      if (wasTold && final.isExpired && !final.isDelete && key.expired !== final.version)
        this.#fail(`${final.key}: the expiry of ${final.version} was not told`);
      for (const loser of final.losers) {
        if (!loser.every(isNews) && !isNews(final.version)) continue;
        if (!loser.some((version) => key.losers.has(version)))
          this.#fail(`${final.key}: the conflict with ${loser.join("/")} was not told`);
      }
    }
    for (const [name, { lastKind, expired, last }] of this.#keys) {
      if (!present.has(name) && lastKind === "put" && expired !== last)
        this.#fail(`${name} is gone, and its end was not told`);
    }
  }

  #key(name: string): KeyJournal {
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = {
        last: undefined,
        lastKind: undefined,
        expired: undefined,
        expiredIn: 0,
        versions: new Set(),
        conflicts: new Set(),
        losers: new Set(),
      };
      this.#keys.set(name, key);
    }
    return key;
  }

  #note(line: string): void {
    this.#log.push(line);
    if (this.#log.length > this.#linesMax) this.#log = this.#log.slice(this.#linesMax / 2);
  }

  #fail(text: string): never {
    throw new WatchViolation(`watcher ${this.name}: ${text}\n${this.#log.slice(-60).join("\n")}`);
  }
}
