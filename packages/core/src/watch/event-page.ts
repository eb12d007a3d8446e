import { WATCH_RESPONSE_BYTES, WATCH_TOGETHER_BYTES } from "../limits.ts";
import type { WriteRecord } from "../record.ts";
import { bytesOfEvent, type WatchEvent } from "./watch-event.ts";

/** The events of one response, up to its limits; one event always fits. */
export class EventPage {
  readonly events: WatchEvent[] = [];
  /** What is told later: winners for which something was left out, and losers that are told after their winners. */
  readonly awaited: WriteRecord[] = [];
  readonly #withPrevious: boolean;
  readonly #eventsMax: number;
  #bytes = 0;

  constructor(withPrevious: boolean, eventsMax: number) {
    this.#withPrevious = withPrevious;
    this.#eventsMax = eventsMax;
  }

  /** Whether a response may hold all the events. */
  canHold(events: readonly WatchEvent[]): boolean {
    return this.#bytesOf(events) <= WATCH_TOGETHER_BYTES;
  }

  /** Adds events that belong together; false, and nothing is added, when they do not fit any more. */
  add(events: readonly WatchEvent[]): boolean {
    const bytes = this.#bytesOf(events);
    const isEmpty = this.events.length === 0;
    if (!isEmpty && (this.#bytes + bytes > WATCH_RESPONSE_BYTES || this.events.length >= this.#eventsMax))
      return false;
    this.#bytes += bytes;
    for (const event of events) this.events.push(event);
    return true;
  }

  #bytesOf(events: readonly WatchEvent[]): number {
    let bytes = 0;
    for (const event of events) bytes += bytesOfEvent(event, this.#withPrevious || event.kind === "conflict");
    return bytes;
  }
}
