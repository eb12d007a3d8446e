/** What each error code is on every door: the one place from which gRPC, HTTP and the command line derive theirs. */
import { ERROR_CODES, type ErrorCode } from "@meshkv/core";

/** The status codes of gRPC (google.rpc.Code). */
export const GRPC_STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** A number among {@link GRPC_STATUS}. */
export type GrpcStatus = (typeof GRPC_STATUS)[keyof typeof GRPC_STATUS];

/** One row of the error table. */
export interface ErrorStatus {
  /** Undefined where the code cannot leave through gRPC. */
  readonly grpc: GrpcStatus | undefined;
  /** Undefined where the code cannot leave through HTTP. */
  readonly http: number | undefined;
  /** The exit code of the command line. */
  readonly exit: number;
}

function row(
  grpc: keyof typeof GRPC_STATUS | undefined,
  http: number | undefined,
  exit: number,
): ErrorStatus {
  return { grpc: grpc === undefined ? undefined : GRPC_STATUS[grpc], http, exit };
}

const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorStatus>> = {
  INVALID_ARGUMENT: row("INVALID_ARGUMENT", 422, 2),
  TOO_LARGE: row("INVALID_ARGUMENT", 413, 2),
  NOT_FOUND: row("NOT_FOUND", 404, 3),
  CONDITION_FAILED: row("FAILED_PRECONDITION", 412, 4),
  UNAVAILABLE: row("UNAVAILABLE", 503, 5),
  CONCERN_NOT_MET: row("DEADLINE_EXCEEDED", 504, 5),
  SESSION_NOT_MET: row("UNAVAILABLE", 503, 5),
  DEADLINE_EXCEEDED: row("DEADLINE_EXCEEDED", 504, 5),
  CANCELLED: row("CANCELLED", 499, 130),
  INTERNAL: row("INTERNAL", 500, 1),
  METHOD_NOT_ALLOWED: row(undefined, 405, 2),
  UNSUPPORTED_MEDIA_TYPE: row(undefined, 415, 2),
  ADDRESS_IN_USE: row(undefined, undefined, 1),
  DIRECTORY_LOCKED: row(undefined, undefined, 1),
  UNSUPPORTED_FORMAT: row(undefined, undefined, 1),
  MEMBER_NOT_FOUND: row("NOT_FOUND", 404, 3),
  FORCE_REQUIRED: row("FAILED_PRECONDITION", 409, 4),
  WRONG_MESH: row("FAILED_PRECONDITION", 409, 4),
  REMOVED: row("FAILED_PRECONDITION", 409, 4),
  BEHIND: row("FAILED_PRECONDITION", 409, 4),
  UNSUPPORTED_PROTOCOL: row("FAILED_PRECONDITION", 409, 4),
  ROLLED_BACK: row("FAILED_PRECONDITION", 409, 4),
  DUPLICATE_REPLICA: row("FAILED_PRECONDITION", 409, 4),
  RESUME_TOO_OLD: row("OUT_OF_RANGE", 410, 6),
  CLOCK_SKEW: row("UNAVAILABLE", 503, 5),
  STORAGE_FULL: row("RESOURCE_EXHAUSTED", 507, 1),
  STORAGE_FAILED: row("INTERNAL", 500, 1),
  UNAUTHENTICATED: row("UNAUTHENTICATED", 401, 7),
  PERMISSION_DENIED: row("PERMISSION_DENIED", 403, 7),
  OVERLOADED: row("RESOURCE_EXHAUSTED", 429, 5),
};

const KNOWN: ReadonlySet<string> = new Set(ERROR_CODES);

/** Whether a text is one of the codes of the table. */
export function isErrorCode(text: string): text is ErrorCode {
  return KNOWN.has(text);
}

/** The gRPC status of a code; INTERNAL for codes that should never have reached gRPC. */
export function grpcStatusOf(code: ErrorCode): GrpcStatus {
  return ERROR_TABLE[code].grpc ?? GRPC_STATUS.INTERNAL;
}

/** The HTTP status of a code; 500 for codes that should never have reached HTTP. */
export function httpStatusOf(code: ErrorCode): number {
  return ERROR_TABLE[code].http ?? 500;
}

/** The exit code of the command line for a code. */
export function exitCodeOf(code: ErrorCode): number {
  return ERROR_TABLE[code].exit;
}
