/** Errors as RFC 9457 problem details; statuses come from the one error table. */
import { STATUS_CODES } from "node:http";
import { MeshkvError } from "@meshkv/core";
import { httpStatusOf } from "@meshkv/protocol";
import { type Detail, placeOf } from "./field-places.ts";

/** The media type of errors. */
export const PROBLEM_TYPE = "application/problem+json";

/** The body of an error. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** For programs: a code of the error table. */
  readonly code: string;
  /** What is wrong, piece by piece, with 422 and 413. */
  readonly errors?: readonly Detail[];
  /** Further facts, such as `version` with CONDITION_FAILED. */
  readonly [fact: string]: unknown;
}

/** Several things that are wrong with one request. */
export class InputError extends MeshkvError {
  readonly details: readonly Detail[];

  constructor(details: readonly Detail[]) {
    const [first] = details;
    const more = details.length > 1 ? `; and ${details.length - 1} more, see errors` : "";
    super("INVALID_ARGUMENT", first === undefined ? "the request is wrong" : `${first.msg}${more}`);
    this.details = details;
  }
}

/** Where a client looks that does not know the code 499. */
const REASONS: Readonly<Record<number, string>> = { 499: "Client Closed Request" };

/** The status text of a status. */
export function titleOf(status: number): string {
  return STATUS_CODES[status] ?? REASONS[status] ?? "Error";
}

/** The problem that an error is. */
export function problemOf(error: MeshkvError): Problem {
  const status = httpStatusOf(error.code);
  const { field, ...facts } = error.metadata;
  const head = { type: "about:blank" as const, title: titleOf(status), status };
  if (error instanceof InputError) {
    return { ...facts, ...head, detail: error.message, code: error.code, errors: error.details };
  }
  if (field === undefined) return { ...facts, ...head, detail: error.message, code: error.code };
  const text = error.message.startsWith(`${field}: `) ? error.message.slice(field.length + 2) : error.message;
  const loc = placeOf(field);
  const type = error.code === "TOO_LARGE" ? "too_large" : "value_error";
  const name = String(loc.findLast((part) => typeof part === "string") ?? field);
  return {
    ...facts,
    ...head,
    detail: `${name}: ${text}`,
    code: error.code,
    errors: [{ loc, msg: `${name}: ${text}`, type }],
  };
}
