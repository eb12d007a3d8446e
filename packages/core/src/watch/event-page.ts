import { WATCH_RESPONSE_BYTES } from "../limits.ts";
import type { WriteRecord } from "../record.ts";
import { bytesOfEvent, type WatchEvent } from "./watch-event.ts";

/** The events of one response, up to its limits; one event always fits. */
export class EventPage {
  readonly events: WatchEvent[] = [];
  /** Winners that are told later, and for which something was left out. */
  readonly awaited: WriteRecord[] = [];
  readonly #withPrevious: boolean;
  readonly #eventsMax: number;
  #bytes = 0;

  constructor(withPrevious: boolean, eventsMax: number) {
    this.#withPrevious = withPrevious;
    this.#eventsMax = eventsMax;
  }

  /** Adds events that belong together; false, and nothing is added, when they do not fit any more. */
  add(events: readonly WatchEvent[]): boolean {
    let bytes = 0;
    for (const event of events) bytes += bytesOfEvent(event, this.#withPrevious || event.kind === "conflict");
    const isEmpty = this.events.length === 0;
    if (!isEmpty && (this.#bytes + bytes > WATCH_RESPONSE_BYTES || this.events.length >= this.#eventsMax))
      return false;
    this.#bytes += bytes;
    for (const event of events) this.events.push(event);
    return true;
  }
}
