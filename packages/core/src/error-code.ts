/** The closed table of error codes. Transports derive their statuses from it; clients test codes, never texts. */
export const ERROR_CODES = [
  "INVALID_ARGUMENT",
  "TOO_LARGE",
  "NOT_FOUND",
  "CONDITION_FAILED",
  "UNAVAILABLE",
  "CONCERN_NOT_MET",
  "SESSION_NOT_MET",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "INTERNAL",
  "METHOD_NOT_ALLOWED",
  "UNSUPPORTED_MEDIA_TYPE",
  "ADDRESS_IN_USE",
  "DIRECTORY_LOCKED",
  "UNSUPPORTED_FORMAT",
  "MEMBER_NOT_FOUND",
  "FORCE_REQUIRED",
  "WRONG_MESH",
  "REMOVED",
  "BEHIND",
  "UNSUPPORTED_PROTOCOL",
  "ROLLED_BACK",
  "DUPLICATE_REPLICA",
  "RESUME_TOO_OLD",
  "CLOCK_SKEW",
  "STORAGE_FULL",
  "STORAGE_FAILED",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "OVERLOADED",
] as const;

/** What kind of failure it is. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An operating failure: something that happens to correct programs. Carries a code, and what a caller may need. */
export class MeshkvError extends Error {
  override name = "MeshkvError";
  /** What kind of failure it is; clients and transports decide by it. */
  readonly code: ErrorCode;
  /** Machine-readable details, such as `version` with CONDITION_FAILED; never a value. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, metadata: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.metadata = metadata;
  }
}
