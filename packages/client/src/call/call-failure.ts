/** What an attempt ended with, and what that lets a caller do next. */
import { type Metadata, type ServiceError } from "@grpc/grpc-js";
import { errorFromGrpc, type ErrorCode, MeshkvError, STATUS_DETAILS_KEY } from "@meshkv/protocol";

/**
 * How far a failed attempt got:
 * - `unsent`: nothing reached the replica;
 * - `refused`: the replica answered that it did nothing, and another one may serve;
 * - `unknown`: it broke off; whether it was done, nobody here knows;
 * - `final`: the answer would be the same everywhere.
 */
export type Fate = "unsent" | "refused" | "unknown" | "final";

/** A failed attempt: its error, which is all that callers see, and how far it got. */
export class CallFailure extends Error {
  override name = "CallFailure";
  readonly error: MeshkvError;
  readonly fate: Fate;

  constructor(error: MeshkvError, fate: Fate) {
    super(error.message);
    this.error = error;
    this.fate = fate;
  }
}

/** With these a replica says that it did nothing, and that another may serve. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "UNAVAILABLE",
  "SESSION_NOT_MET",
  "CLOCK_SKEW",
  "OVERLOADED",
  "STORAGE_FULL",
]);

/** These say what came of a call that may have been done. */
const UNCERTAIN: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

/** The failure that an error of the replica itself stands for. */
export function failureOfReply(error: MeshkvError): CallFailure {
  if (REFUSALS.has(error.code)) return new CallFailure(error, "refused");
  return new CallFailure(error, error.code === "STORAGE_FAILED" ? "unknown" : "final");
}

/** The failure that an error of the library stands for. */
export function failureOfGrpc(error: ServiceError, address: string): CallFailure {
  const details = (error.metadata as Metadata | undefined)?.get(STATUS_DETAILS_KEY)[0];
  const bytes = details instanceof Uint8Array ? details : undefined;
  const translated = errorFromGrpc({ code: error.code, message: error.details, details: bytes }, address);
  if (bytes !== undefined) return failureOfReply(translated);
  if (translated.code === "CANCELLED") {
    // Nobody here gave up, or nobody would read this: the server did, as it went down.
    const text = `cannot reach ${address}: the connection was cut`;
    return new CallFailure(new MeshkvError("UNAVAILABLE", text, { address }), "unknown");
  }
  // The server's library refuses a call before the server sees it when too much of the connection is unread.
  if (translated.code === "OVERLOADED") return new CallFailure(translated, "refused");
  return new CallFailure(translated, UNCERTAIN.has(translated.code) ? "unknown" : "final");
}

/** An error with the doubt that belongs to a write that broke off, and what a replica had said before. */
export function withDoubt(error: MeshkvError, refusal?: MeshkvError): MeshkvError {
  const before = refusal === undefined ? "" : `; before that: ${refusal.message}`;
  const text = `${error.message}; it is not known whether the write was done${before}`;
  return new MeshkvError(error.code, text, error.metadata);
}

/** The error when every replica has been asked once and none has served. */
export function unservedBy(errors: readonly MeshkvError[]): MeshkvError {
  const [first] = errors;
  if (first !== undefined && errors.length === 1) return first;
  const texts = errors.map(({ message }) => `  ${message}`);
  return new MeshkvError("UNAVAILABLE", ["no replica can serve this:", ...texts].join("\n"));
}

/** What a caller that aborted is told. */
export function cancelled(signal: AbortSignal | undefined): MeshkvError {
  const error = new MeshkvError("CANCELLED", "the caller gave up");
  if (signal !== undefined) error.cause = signal.reason;
  return error;
}
