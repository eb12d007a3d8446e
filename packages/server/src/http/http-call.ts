import type { ServerResponse } from "node:http";
import { MeshkvError } from "@meshkv/core";
import type { CallInfo } from "../handlers/call-info.ts";

/** A request as handlers see it: ends when the client is gone, when its time is over, or when the server stops. */
export class HttpCall implements CallInfo {
  readonly deadlineMs: number | undefined;
  readonly #controller = new AbortController();
  readonly #release: () => void;

  /** @param timeoutMs how long the client waits; undefined: for ever */
  constructor(response: ServerResponse, stopping: AbortSignal, timeoutMs: number | undefined) {
    this.deadlineMs = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
    const gone = (): void => {
      // "close" comes after every response, and means nothing once it was sent whole.
      if (!response.writableFinished) this.#end("CANCELLED", "the caller is gone");
    };
    const stop = (): void => this.#end("UNAVAILABLE", "this server is stopping: ask another one");
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => this.#end("DEADLINE_EXCEEDED", "the timeout of the request has passed"),
            timeoutMs,
          );
    response.once("close", gone);
    stopping.addEventListener("abort", stop);
    this.#release = () => {
      clearTimeout(timer);
      response.off("close", gone);
      stopping.removeEventListener("abort", stop);
    };
    if (response.destroyed) gone();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The request was answered: nothing ends it any more. */
  answered(): void {
    this.#release();
  }

  #end(code: "CANCELLED" | "UNAVAILABLE" | "DEADLINE_EXCEEDED", text: string): void {
    this.#controller.abort(new MeshkvError(code, text));
  }
}
