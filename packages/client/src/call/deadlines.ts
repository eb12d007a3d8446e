/**
 * Deadlines of calls that have none of their own, such as operations of a stream. One timer serves them all: with
 * thousands of calls a second, a timer for each would cost more than the rest of the call.
 */
import { MeshkvError } from "@meshkv/protocol";
import { CallFailure } from "./call-failure.ts";
import type { RunningCall } from "./channel.ts";

/** Nobody counts on a deadline to the millisecond. */
const STEP_MS = 50;

interface Timed {
  readonly deadlineMs: number;
  readonly expire: () => void;
}

/** Ends calls when their time is up. */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  #timer: NodeJS.Timeout | undefined;

  /** The same call, which rejects with DEADLINE_EXCEEDED soon after the deadline (a `Date.now()`). */
  bound<Reply>(
    { reply, cancel }: RunningCall<Reply>,
    deadlineMs: number,
    address: string,
  ): RunningCall<Reply> {
    const bounded = new Promise<Reply>((resolve, reject) => {
      const entry: Timed = {
        deadlineMs,
        expire: () => {
          const error = new MeshkvError("DEADLINE_EXCEEDED", `${address} did not answer in time`, {
            address,
          });
          reject(new CallFailure(error, "unknown"));
          cancel();
        },
      };
      this.#timed.add(entry);
      this.#timer ??= setInterval(() => this.#sweep(), STEP_MS);
      reply.then(
        (value) => {
          this.#timed.delete(entry);
          resolve(value);
        },
        (failure: Error) => {
          this.#timed.delete(entry);
          reject(failure);
        },
      );
    });
    return { reply: bounded, cancel };
  }

  #sweep(): void {
    const nowMs = Date.now();
    for (const entry of this.#timed) if (entry.deadlineMs <= nowMs) entry.expire();
    if (this.#timed.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
