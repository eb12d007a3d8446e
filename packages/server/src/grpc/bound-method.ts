/** What the adapters of single calls and of streams share. */
import type { MeshkvError } from "@meshkv/core";
import type { DescMethod } from "@meshkv/protocol";
import type { CallInfo } from "../handlers/call-info.ts";
import type { OperationObserver } from "../telemetry/operation-observer.ts";
import type { GrpcLogger } from "./grpc-logger.ts";

/** What the adapter gives to every call. */
export interface CallContext {
  readonly logger: GrpcLogger;
  /** Measures the calls of clients; undefined: nobody does. */
  readonly observe?: OperationObserver | undefined;
  /** Aborts when the server stops: streams end then, single calls are answered. */
  readonly stopping: AbortSignal;
}

/** A request, or why it is refused: thrown out of the deserialiser, the library would call it an internal error. */
export interface Incoming {
  readonly message: unknown;
  readonly refusal: MeshkvError | undefined;
}

/** A method with what answers it. The types were checked where it was bound. */
export interface BoundMethod {
  readonly method: DescMethod;
  readonly handler: (request: never, call: CallInfo) => unknown;
  /** Makes the bytes of a reply; what it throws is a bug of the handler. */
  readonly encode: (reply: never) => Buffer;
}
