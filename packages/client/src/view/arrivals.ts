import type { CallFailure } from "../call/call-failure.ts";

/** A response of a stream, or how the stream ended. */
export type Arrival<Response> =
  | { readonly response: Response }
  | { readonly failure: CallFailure | undefined };

/** What has arrived on a stream and was not taken yet. */
export class Arrivals<Response> {
  #queue: Arrival<Response>[] = [];
  #wake: (() => void) | undefined;

  /** Returns how many wait. */
  add(arrival: Arrival<Response>): number {
    this.#queue.push(arrival);
    this.#wake?.();
    return this.#queue.length;
  }

  /** The next one, as soon as it is there. */
  async next(): Promise<Arrival<Response>> {
    for (;;) {
      const [first, ...rest] = this.#queue;
      if (first !== undefined) {
        this.#queue = rest;
        return first;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
