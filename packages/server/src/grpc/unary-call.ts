/**
 * Single calls, answered through an interceptor of @grpc/grpc-js. Handlers of its own kind get a writable stream for every
 * call, and send the trailers only when the reply has left, as a write of its own; taken here, a call is one object, and
 * reply and trailers leave together.
 */
import { Metadata, ServerInterceptingCall, type ServerInterceptor, type StatusObject } from "@grpc/grpc-js";
import { invariant } from "@meshkv/core";
import { GRPC_STATUS } from "@meshkv/protocol";
import type { Incoming } from "./bound-method.ts";
import type { ServerCall } from "./grpc-call.ts";

/** Answers one call, now or later, by `reply` or `fail`. Never throws. */
export type UnaryAnswer = (request: Incoming, call: UnaryCall) => void;

type NextCall = Parameters<ServerInterceptor>[1];
type Listener = Parameters<NextCall["start"]>[0];

const OK = { code: GRPC_STATUS.OK, details: "OK", metadata: null };

/** Never changed: the library would make one for every reply. */
const NO_METADATA = new Metadata();

/** One call. */
export class UnaryCall extends ServerInterceptingCall implements ServerCall, Listener {
  readonly #next: NextCall;
  readonly #answer: UnaryAnswer;
  #request: Incoming | undefined;
  #onCancelled: (() => void) | undefined;
  cancelled = false;

  constructor(next: NextCall, answer: UnaryAnswer) {
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
    this.#next.sendMetadata(NO_METADATA);
    this.#next.sendMessage(bytes, nothing);
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
export function unaryInterceptor(answers: ReadonlyMap<string, UnaryAnswer>): ServerInterceptor {
  return (method, next) => {
    const answer = answers.get(method.path);
    return answer === undefined ? new ServerInterceptingCall(next) : new UnaryCall(next, answer);
  };
}

/** What the library believes to answer single calls. */
export function takenByInterceptor(): never {
  invariant(false, "single calls are taken by the interceptor");
}
