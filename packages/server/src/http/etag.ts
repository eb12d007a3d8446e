/** Versions as entity tags, and the conditions that requests make of them. */
import { MeshkvError } from "@meshkv/core";
import { type ConditionSchema, type MessageInitShape } from "@meshkv/protocol";
import { quoteText } from "../handlers/quote-bytes.ts";

type Condition = MessageInitShape<typeof ConditionSchema>;

/** The entity tag of a version. */
export function etagOf(version: string): string {
  return `"${version}"`;
}

/** The condition of a write, from `If-Match` and `If-None-Match`. */
export function writeCondition(headers: {
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}): Condition | undefined {
  const match = headers["if-match"]?.trim();
  const noneMatch = headers["if-none-match"]?.trim();
  if (match !== undefined && noneMatch !== undefined) {
    throw invalid("condition.if_absent", "goes with If-Match in no request: send one of them");
  }
  if (noneMatch !== undefined) {
    if (noneMatch === "*") return { kind: { case: "ifAbsent", value: true } };
    const text = `${quoteText(noneMatch)} cannot be a condition of a write: send *, or an entity tag with If-Match`;
    throw invalid("condition.if_absent", text);
  }
  if (match === undefined) return undefined;
  if (match === "*") return { kind: { case: "ifPresent", value: true } };
  const version = /^"([^"]*)"$/.exec(match)?.[1];
  if (version === undefined) {
    const text = `${quoteText(match)} is not one entity tag: send it as ETag came, in double quotes, or *`;
    throw invalid("condition.if_version", text);
  }
  return { kind: { case: "ifVersion", value: version } };
}

/** Whether a read's `If-None-Match` names the version: then the client has it already. */
export function isKnownToClient(version: string, header: string | undefined): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etagOf(version));
}

function invalid(field: string, text: string): MeshkvError {
  return new MeshkvError("INVALID_ARGUMENT", `${field}: ${text}`, { field });
}
