import { ERROR_CODES } from "@meshkv/core";
import { describe, expect, it } from "vitest";
import { exitCodeOf, GRPC_STATUS, grpcStatusOf, httpStatusOf, isErrorCode } from "./error-table.ts";

/** The table of the design, row by row: gRPC, HTTP, exit. */
const DESIGN: readonly (readonly [
  codes: string,
  grpc: keyof typeof GRPC_STATUS,
  http: number,
  exit: number,
])[] = [
  ["INVALID_ARGUMENT", "INVALID_ARGUMENT", 422, 2],
  ["TOO_LARGE", "INVALID_ARGUMENT", 413, 2],
  ["NOT_FOUND", "NOT_FOUND", 404, 3],
  ["CONDITION_FAILED", "FAILED_PRECONDITION", 412, 4],
  ["UNAVAILABLE", "UNAVAILABLE", 503, 5],
  ["CONCERN_NOT_MET", "DEADLINE_EXCEEDED", 504, 5],
  ["SESSION_NOT_MET", "UNAVAILABLE", 503, 5],
  ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 504, 5],
  ["CANCELLED", "CANCELLED", 499, 130],
  ["INTERNAL", "INTERNAL", 500, 1],
  ["METHOD_NOT_ALLOWED", "INTERNAL", 405, 2],
  ["UNSUPPORTED_MEDIA_TYPE", "INTERNAL", 415, 2],
  ["ADDRESS_IN_USE DIRECTORY_LOCKED UNSUPPORTED_FORMAT", "INTERNAL", 500, 1],
  ["MEMBER_NOT_FOUND", "NOT_FOUND", 404, 3],
  ["FORCE_REQUIRED", "FAILED_PRECONDITION", 409, 4],
  ["WRONG_MESH REMOVED BEHIND UNSUPPORTED_PROTOCOL", "FAILED_PRECONDITION", 409, 4],
  ["ROLLED_BACK DUPLICATE_REPLICA", "FAILED_PRECONDITION", 409, 4],
  ["RESUME_TOO_OLD", "OUT_OF_RANGE", 410, 6],
  ["CLOCK_SKEW", "UNAVAILABLE", 503, 5],
  ["STORAGE_FULL", "RESOURCE_EXHAUSTED", 507, 1],
  ["STORAGE_FAILED", "INTERNAL", 500, 1],
  ["UNAUTHENTICATED", "UNAUTHENTICATED", 401, 7],
  ["PERMISSION_DENIED", "PERMISSION_DENIED", 403, 7],
  ["OVERLOADED", "RESOURCE_EXHAUSTED", 429, 5],
];

describe("the error table", () => {
  it("is the design's, for every code", () => {
    const rows = ERROR_CODES.map((code) => [code, grpcStatusOf(code), httpStatusOf(code), exitCodeOf(code)]);
    const expected = DESIGN.flatMap(([codes, grpc, http, exit]) =>
      codes.split(" ").map((code) => [code, GRPC_STATUS[grpc], http, exit]),
    );
    const byCode = (a: unknown[], b: unknown[]): number => (String(a[0]) < String(b[0]) ? -1 : 1);
    expect(rows.sort(byCode)).toEqual(expected.sort(byCode));
  });

  it("knows its codes and no others", () => {
    expect(ERROR_CODES.every(isErrorCode)).toBe(true);
    expect(["", "invalid_argument", "toString", "__proto__"].some(isErrorCode)).toBe(false);
  });
});
