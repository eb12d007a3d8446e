/**
 * The latest changes in memory, in the order in which they became durable: watchers that keep up read here, and each sees
 * every change. Bounded by bytes; who falls off it reads the logs (see `watch-cursor.ts`).
 */
import type { Entry } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import type { WriteRecord } from "../record.ts";
import { EventPage } from "./event-page.ts";
import { eventsOfStep, isWatched, type MergeStep, type WatchEvent, type WatchTarget } from "./watch-event.ts";
import type { WatchPosition } from "./watch-position.ts";

/** Estimated bytes of a change beyond its records. */
const CHANGE_OVERHEAD_BYTES = 200;

/** One change of a group, with its events made when somebody first wants them. */
export class Change {
  readonly key: KeyText;
  /** What was merged; undefined for an expiry. */
  readonly record: WriteRecord | undefined;
  /** The key's state before the change. */
  readonly before: Entry | undefined;
  readonly #make: () => WatchEvent[];
  #events: readonly WatchEvent[] | undefined;

  private constructor(
    key: KeyText,
    record: WriteRecord | undefined,
    before: Entry | undefined,
    make: () => WatchEvent[],
  ) {
    this.key = key;
    this.record = record;
    this.before = before;
    this.#make = make;
  }

  /** A merge. A put whose deadline was announced before it came is told, and then that it has expired. */
  static merged(step: MergeStep, announcedMs: number): Change {
    return new Change(step.record.key, step.record, step.before, () =>
      withExpiry(eventsOfStep(step), announcedMs),
    );
  }

  /** The passing of a winner's deadline. */
  static expired(entry: Entry): Change {
    return new Change(entry.winner.key, undefined, entry, () => [expiryEvent(entry)]);
  }

  get events(): readonly WatchEvent[] {
    this.#events ??= this.#make();
    return this.#events;
  }
}

/** The event of a winner whose deadline has passed. */
export function expiryEvent(entry: Entry): WatchEvent {
  return { kind: "expire", entry, previous: entry.winner };
}

function withExpiry(events: WatchEvent[], announcedMs: number): WatchEvent[] {
  const [first] = events;
  if (first?.kind !== "put") return events;
  const { expiresAtMs } = first.entry.winner;
  return expiresAtMs > 0 && expiresAtMs <= announcedMs ? [...events, expiryEvent(first.entry)] : events;
}

/** Changes that became visible together. */
export class ChangeGroup {
  /** Counts groups; without gaps. */
  readonly number: number;
  /** The position that was published before it. */
  readonly before: WatchPosition;
  readonly changes: readonly Change[];
  readonly bytes: number;
  readonly #matches = new Map<string, readonly Change[]>();
  /** Pages by what is watched and how; undefined where the changes do not fit on one. */
  readonly #pages = new Map<string, readonly WatchEvent[] | undefined>();
  #firstOfKey: Map<KeyText, Change> | undefined;

  constructor(number: number, before: WatchPosition, changes: readonly Change[]) {
    this.number = number;
    this.before = before;
    this.changes = changes;
    let bytes = 0;
    for (const { record, before: entry } of changes) {
      bytes += (record?.bytes.length ?? 0) + (entry?.winner.bytes.length ?? 0) + CHANGE_OVERHEAD_BYTES;
    }
    this.bytes = bytes;
  }

  /** The changes of a target, in order; found once for all that watch the same. */
  matches(target: WatchTarget): readonly Change[] {
    if (target.kind === "prefix" && target.text === "") return this.changes;
    const name = target.kind + target.text;
    let found = this.#matches.get(name);
    if (found === undefined) {
      found = this.changes.filter(({ key }) => isWatched(target, key));
      this.#matches.set(name, found);
    }
    return found;
  }

  /**
   * The events of a target when they fit on one page, the same array for all that watch the same in the same way;
   * undefined when they do not.
   */
  page(target: WatchTarget, withPrevious: boolean, eventsMax: number): readonly WatchEvent[] | undefined {
    const name = `${withPrevious} ${eventsMax} ${target.kind}${target.text}`;
    if (this.#pages.has(name)) return this.#pages.get(name);
    const page = new EventPage(withPrevious, eventsMax);
    const fits = this.matches(target).every(({ events }) => page.add(events));
    const events = fits ? page.events : undefined;
    this.#pages.set(name, events);
    return events;
  }

  /** The first change of a key in this group. */
  firstOf(key: KeyText): Change | undefined {
    if (this.#firstOfKey === undefined) {
      this.#firstOfKey = new Map();
      for (const change of this.changes) {
        if (change.record !== undefined && !this.#firstOfKey.has(change.key))
          this.#firstOfKey.set(change.key, change);
      }
    }
    return this.#firstOfKey.get(key);
  }
}

/** Bounded; the last group stays whatever its size. */
export class ChangeRing {
  readonly #bytesMax: number;
  readonly #groups = new Map<number, ChangeGroup>();
  #bytes = 0;
  #first = 1;
  #next = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Number of the oldest group that is here; `next` when none is. */
  get first(): number {
    return this.#first;
  }

  /** Number that the next group will have. */
  get next(): number {
    return this.#next;
  }

  add(before: WatchPosition, changes: readonly Change[]): ChangeGroup {
    const group = new ChangeGroup(this.#next, before, changes);
    this.#next += 1;
    this.#groups.set(group.number, group);
    this.#bytes += group.bytes;
    while (this.#bytes > this.#bytesMax && this.#first < group.number) {
      this.#bytes -= this.#groups.get(this.#first)?.bytes ?? 0;
      this.#groups.delete(this.#first);
      this.#first += 1;
    }
    return group;
  }

  /** Forgets all groups; numbers go on. */
  clear(): void {
    this.#groups.clear();
    this.#first = this.#next;
    this.#bytes = 0;
  }

  /** A group by its number; undefined when it is not here. */
  group(number: number): ChangeGroup | undefined {
    return this.#groups.get(number);
  }

  /** The key's state before the groups from a number on; `otherwise` when none of them changed it. */
  entryBefore(number: number, key: KeyText, otherwise: Entry | undefined): Entry | undefined {
    if (number < this.#first) return otherwise;
    for (let at = number; at < this.#next; at += 1) {
      const change = this.#groups.get(at)?.firstOf(key);
      if (change !== undefined) return change.before;
    }
    return otherwise;
  }
}
