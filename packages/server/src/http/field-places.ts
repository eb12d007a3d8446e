/** Where in an HTTP request the fields of the handlers' requests come from. */

/** One thing that is wrong with a request, in the form that users of FastAPI know. */
export interface Detail {
  /** Where: `query`, `path`, `header` or `body`, then the way to it. */
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** What kind of mistake it is, such as `missing` or `value_error`. */
  readonly type: string;
}

const PLACES: Readonly<Record<string, readonly string[]>> = {
  key: ["path", "key"],
  value: ["body"],
  ttl: ["query", "ttl"],
  "concern.timeout": ["query", "timeout"],
  "concern.replicas": ["query", "concern"],
  "concern.level": ["query", "concern"],
  "condition.if_version": ["header", "If-Match"],
  "condition.if_absent": ["header", "If-None-Match"],
  "condition.if_present": ["header", "If-Match"],
  session: ["header", "Meshkv-Session"],
  request_id: ["header", "Idempotency-Key"],
  page_token: ["query", "cursor"],
  page_size: ["query", "limit"],
  prefix: ["query", "prefix"],
  start: ["query", "start"],
  end: ["query", "end"],
  resume: ["query", "resume"],
  target: ["query", "prefix"],
  replica_id: ["path", "id"],
  version: ["body", "version"],
  peer: ["body", "peer"],
};

const IN_BODY: Readonly<Record<string, string>> = {
  if_version: "ifVersion",
  if_absent: "ifAbsent",
  if_present: "ifPresent",
};

/** The place of a handler's field, such as `ttl` or `writes[3].set.key`. */
export function placeOf(field: string): readonly (string | number)[] {
  const known = PLACES[field];
  if (known !== undefined) return known;
  const parts = field.split(/[.[\]]+/).filter((part) => part !== "");
  // In JSON a write and its condition are one object.
  const way = parts
    .filter((part) => part !== "set" && part !== "delete" && part !== "condition")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : (IN_BODY[part] ?? part)));
  return ["body", ...way];
}
