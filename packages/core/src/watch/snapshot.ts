/**
 * The current state of what is watched, as of the position from which changes are told afterwards. The pages are read
 * later than that: what has changed since is left to the changes, so nothing is told twice.
 */
import type { Entry } from "../entry.ts";
import type { KeyText } from "../ids.ts";
import { FRAME_BYTES_TARGET } from "../limits.ts";
import type { ScanRequest, ScanResult, Table } from "../table.ts";
import type { EventPage } from "./event-page.ts";
import { type WatchTarget, winnerEvent } from "./watch-event.ts";
import type { WatchPosition } from "./watch-position.ts";
import type { SnapshotProgress } from "./watch-token.ts";

export class Snapshot {
  readonly #target: WatchTarget;
  readonly #at: WatchPosition;
  readonly #table: Table;
  #after: KeyText | undefined;
  #rows: Extract<ScanResult, { kind: "entries" }> | undefined;

  constructor(target: WatchTarget, at: WatchPosition, after: KeyText | undefined, table: Table) {
    this.#target = target;
    this.#at = at;
    this.#after = after;
    this.#table = table;
  }

  /** What is to be read first; undefined when {@link read} has something to say. */
  request(): ScanRequest | undefined {
    if (this.#rows !== undefined || this.#isSingle()) return undefined;
    return { kind: "entries", after: this.#after, bytesMax: 2 * FRAME_BYTES_TARGET };
  }

  /** A scan begins after a key, so the key that equals the prefix is read by itself. */
  #isSingle(): boolean {
    return this.#target.kind === "key" || (this.#after === undefined && this.#target.text !== "");
  }

  take(result: ScanResult): void {
    if (result.kind === "entries") this.#rows = result;
  }

  /** Fills the page; how far it is then, undefined when it is done. */
  read(page: EventPage): SnapshotProgress | undefined {
    if (this.#isSingle()) {
      const { kind, text } = this.#target;
      const entry = this.#table.entry(text);
      if (entry !== undefined && !this.#tell(entry, page)) return { after: this.#after };
      this.#after = text;
      return kind === "key" ? undefined : { after: text };
    }
    const rows = this.#rows;
    this.#rows = undefined;
    for (const entry of rows?.entries ?? []) {
      const { key } = entry.winner;
      if (!key.startsWith(this.#target.text)) return undefined;
      if (!this.#tell(entry, page)) return { after: this.#after };
      this.#after = key;
    }
    return rows?.done === true ? undefined : { after: this.#after };
  }

  #tell(entry: Entry, page: EventPage): boolean {
    const { winner } = entry;
    if (!this.#at.vector.covers(winner.origin, winner.timestamp)) {
      page.awaited.push(winner);
      return true;
    }
    const isGone = winner.isDelete || (winner.expiresAtMs > 0 && winner.expiresAtMs <= this.#at.markMs);
    return isGone || page.add([winnerEvent(entry, undefined)]);
  }
}
