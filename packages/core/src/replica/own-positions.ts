import { moved, type Position, positionOf } from "../position.ts";
import type { Timestamp } from "../timestamp.ts";
import type { Start } from "./state.ts";

/** Positions of a replica's own log. One of the current start is made without going through all starts again. */
export class OwnPositions {
  #starts: readonly Start[] | undefined;
  #tip: Position | undefined;

  /** The position at a timestamp, on the branch of the start in which it was issued. */
  at(starts: readonly Start[], timestamp: Timestamp): Position {
    const tip = starts === this.#starts ? this.#tip : undefined;
    if (tip !== undefined && timestamp > tip.recovered) return moved(tip, timestamp);
    const position = positionOf(starts, timestamp);
    if (position.start === starts.at(-1)?.id) {
      this.#starts = starts;
      this.#tip = moved(position, position.recovered);
    }
    return position;
  }
}
