/**
 * Calls with one request, answered through an interceptor of @grpc/grpc-js. Handlers of its own kind get a writable stream
 * for every call, and send the trailers of a single reply only when the reply has left, as a write of its own; taken here, a
 * call is one object, a reply and its trailers leave together, and each of many replies goes straight to HTTP/2.
 */
import { Metadata, ServerInterceptingCall, type ServerInterceptor, type StatusObject } from "@grpc/grpc-js";
import { invariant } from "@meshkv/core";
import { GRPC_STATUS } from "@meshkv/protocol";
import type { Incoming } from "./bound-method.ts";
import type { ServerCall } from "./grpc-call.ts";

/** Answers one call, now or later: by `reply`, by any number of `send` and `end`, or by `fail`. Never throws. */
export type RequestAnswer = (request: Incoming, call: RequestCall) => void;

type NextCall = Parameters<ServerInterceptor>[1];
type Listener = Parameters<NextCall["start"]>[0];

const OK = { code: GRPC_STATUS.OK, details: "OK", metadata: null };

/** Never changed: the library would make one for every reply. */
const NO_METADATA = new Metadata();

/** One call. */
export class RequestCall extends ServerInterceptingCall implements ServerCall, Listener {
  readonly #next: NextCall;
  readonly #answer: RequestAnswer;
  #request: Incoming | undefined;
  #onCancelled: (() => void) | undefined;
  cancelled = false;

  constructor(next: NextCall, answer: RequestAnswer) {
    super(next);
    this.#next = next;
    this.#answer = answer;
  }

  /** The library begins the call; its own listener would make the stream. */
  override start(): void {
    this.#next.start(this);
  }

  onReceiveMetadata(): void {
    this.#next.startRead();
  }

  onReceiveMessage(request: Incoming): void {
    if (this.#request !== undefined) return this.#refuse("more than one request was sent");
    this.#request = request;
    this.#next.startRead();
  }

  onReceiveHalfClose(): void {
    if (this.#request === undefined) this.#refuse("no request was sent");
    else this.#answer(this.#request, this);
  }

  /** Also after every call that was answered. */
  onCancel(): void {
    this.cancelled = true;
    this.#onCancelled?.();
  }

  once(_event: "cancelled", listener: () => void): void {
    this.#onCancelled = listener;
  }

  /** Answers with a reply. */
  reply(bytes: Buffer): void {
    this.send(bytes, nothing);
    this.end();
  }

  /** Sends one of many replies. `sent` is called when the transport has taken it, and never if the call ends before. */
  send(bytes: Buffer, sent: () => void): void {
    this.#next.sendMetadata(NO_METADATA);
    this.#next.sendMessage(bytes, sent);
  }

  /** There are no more replies. */
  end(): void {
    this.#next.sendStatus(OK);
  }

  /** Answers with a failure. */
  fail(status: StatusObject): void {
    this.#next.sendStatus(status);
  }

  #refuse(details: string): void {
    this.#next.sendStatus({ code: GRPC_STATUS.UNIMPLEMENTED, details, metadata: null });
  }
}

function nothing(): void {}

/** Takes the calls of methods that have an answer, by `/package.Service/Method`. */
export function requestInterceptor(answers: ReadonlyMap<string, RequestAnswer>): ServerInterceptor {
  return (method, next) => {
    const answer = answers.get(method.path);
    return answer === undefined ? new ServerInterceptingCall(next) : new RequestCall(next, answer);
  };
}

/** What the library believes to answer calls with one request. */
export function takenByInterceptor(): never {
  invariant(false, "calls with one request are taken by the interceptor");
}
