/** What the adapters of single calls and of streams share. */
import type { MeshkvError } from "@meshkv/core";
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

/** A handler whose types were checked where it was bound. */
export type BoundHandler = (request: never, call: CallInfo) => unknown;
