import { MeshkvError } from "@meshkv/core";
import type { CallInfo } from "../handlers/call-info.ts";

/** What this adapter uses of a call of @grpc/grpc-js. */
export interface ServerCall {
  /** Set before "cancelled" is told. */
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  once(event: "cancelled", listener: () => void): unknown;
}

/** A call as handlers see it. The signal is made, and the library listened to, only for handlers that ask for it. */
export class GrpcCall implements CallInfo {
  readonly deadlineMs: number | undefined;
  readonly #call: ServerCall;
  #controller: AbortController | undefined;
  #ended: MeshkvError | undefined;
  #isAnswered = false;

  constructor(call: ServerCall) {
    this.#call = call;
    const deadline = Number(call.getDeadline());
    this.deadlineMs = Number.isFinite(deadline) ? deadline : undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#call.cancelled) this.#end();
      else this.#call.once("cancelled", () => this.#end());
      if (this.#ended !== undefined) this.#controller.abort(this.#ended);
    }
    return this.#controller.signal;
  }

  /** Throws when nobody waits for the answer. */
  throwIfEnded(): void {
    if (this.#ended === undefined && (this.#call.cancelled || this.#isPastDeadline())) this.#end();
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** The call was answered: the library tells "cancelled" after every call, and then it means nothing any more. */
  answered(): void {
    this.#isAnswered = true;
  }

  /** Ends the work for this call. */
  abort(reason: MeshkvError): void {
    if (this.#isAnswered || this.#ended !== undefined) return;
    this.#ended = reason;
    this.#controller?.abort(reason);
  }

  #isPastDeadline(): boolean {
    return this.deadlineMs !== undefined && Date.now() >= this.deadlineMs;
  }

  #end(): void {
    // After every call: an error that nobody is told would still cost its stack trace.
    if (this.#isAnswered) return;
    this.abort(
      this.#isPastDeadline()
        ? new MeshkvError("DEADLINE_EXCEEDED", "the deadline of the call has passed")
        : new MeshkvError("CANCELLED", "the caller has cancelled the call, or is gone"),
    );
  }
}
