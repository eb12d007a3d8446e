/** Many keys: lists, deletes of a prefix, batches, and reads of several keys. */
import {
  BatchRequestSchema,
  BatchResponseSchema,
  create,
  DeleteRequestSchema,
  DeleteResponseSchema,
  GetManyRequestSchema,
  GetManyResponseSchema,
  ListRequestSchema,
  ListResponseSchema,
} from "@meshkv/protocol";
import * as Type from "typebox/type";
import { writesOf } from "../batch-body.ts";
import { bytesOf, type Encoding, entryJson } from "../envelope.ts";
import type { HttpHandlers } from "../handlers.ts";
import { concernOf, headerOf, READ_ERRORS, sessionHeader, WRITE_ERRORS } from "../parameters.ts";
import { InputError } from "../problem.ts";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { BATCH, BATCH_RESULT, DELETE_RESULT, ENTRIES, HEADERS, KEYS, PAGE, PARAMETERS } from "../schemas.ts";

const VERSION = "0000c8f2b1a400010f3a5c7e9b1d2f48";
const SESSION_REPLY = Type.Object({
  "Meshkv-Session": Type.Optional(Type.String({ description: "What the caller has now seen." })),
});
const WRITE_HEADERS = Type.Object({
  "Meshkv-Session": Type.Optional(HEADERS.session),
  "Idempotency-Key": Type.Optional(HEADERS.requestId),
});
const READ_HEADERS = Type.Object({ "Meshkv-Session": Type.Optional(HEADERS.session) });

/** The routes of many keys. */
export function listRoutes(handlers: HttpHandlers): Route[] {
  const routes = [listRoute(handlers), deletePrefixRoute(handlers), batchRoute(handlers)];
  if (handlers.getMany !== undefined) routes.push(getManyRoute(handlers.getMany));
  return routes;
}

function listRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/kv",
    id: "listKeys",
    tag: "Many keys",
    operation: "list",
    summary: "List entries",
    description: "Entries in the order of their keys' bytes, a page of at most 2 MiB at a time.",
    query: Type.Object(
      {
        prefix: Type.Optional(PARAMETERS.prefix),
        start: Type.Optional(Type.String({ description: "The first key, inclusive." })),
        end: Type.Optional(Type.String({ description: "The end, exclusive." })),
        reverse: Type.Optional(Type.Boolean({ description: "From the greatest key down." })),
        keysOnly: Type.Optional(Type.Boolean({ description: "Without the values." })),
        limit: Type.Optional(PARAMETERS.limit),
        cursor: Type.Optional(PARAMETERS.cursor),
        timeout: Type.Optional(PARAMETERS.timeout),
      },
      { additionalProperties: false },
    ),
    headers: READ_HEADERS,
    replies: {
      200: {
        description: "A page.",
        headers: SESSION_REPLY,
        contents: {
          "application/json": {
            schema: PAGE,
            examples: {
              page: {
                entries: [
                  {
                    key: "cart/1",
                    value: "2 apples",
                    encoding: "utf8",
                    version: VERSION,
                    origin: "0f3a5c7e9b1d2f48",
                    conflicts: 0,
                  },
                ],
                cursor: "AQrQkF9jYXJ0LzEdFh0X",
              },
            },
          },
        },
      },
    },
    errors: [...READ_ERRORS, "TOO_LARGE"],
    async answer(input, call): Promise<Answer> {
      const { query } = input;
      const request = create(ListRequestSchema, {
        prefix: input.queryBytes("prefix"),
        start: input.queryBytes("start"),
        end: input.queryBytes("end"),
        reverse: query.reverse ?? false,
        keysOnly: query.keysOnly ?? false,
        pageSize: query.limit ?? 0,
        pageToken: query.cursor ?? "",
        session: headerOf(input.headers, "meshkv-session"),
      });
      const reply = create(ListResponseSchema, await handlers.list(request, call));
      const { entries, nextPageToken, session } = reply;
      const page = { entries: entries.map((entry) => entryJson(entry, !request.keysOnly)) };
      const body = nextPageToken === "" ? page : { ...page, cursor: nextPageToken };
      return { status: 200, headers: sessionHeader(session), body };
    },
  });
}

function deletePrefixRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "DELETE",
    path: "/v1/kv",
    id: "deletePrefix",
    tag: "Many keys",
    operation: "delete",
    summary: "Delete every key with a prefix",
    description: "In commits of 1,000 keys: what was deleted before a failure stays deleted.",
    query: Type.Object(
      {
        prefix: Type.String({
          description: "Keys that begin so; an empty one needs `all`.",
          examples: ["cart/"],
        }),
        all: Type.Optional(Type.Boolean({ description: "With an empty prefix: really every key." })),
        concern: Type.Optional(PARAMETERS.concern),
        timeout: Type.Optional(PARAMETERS.timeout),
      },
      { additionalProperties: false },
    ),
    headers: WRITE_HEADERS,
    replies: {
      200: {
        description: "Deleted.",
        headers: SESSION_REPLY,
        contents: {
          "application/json": {
            schema: DELETE_RESULT,
            examples: { deleted: { deleted: 42, version: VERSION, replicas: 1 } },
          },
        },
      },
    },
    errors: WRITE_ERRORS,
    async answer(input, call): Promise<Answer> {
      const { query, headers } = input;
      const concern = concernOf(query.concern);
      const request = create(DeleteRequestSchema, {
        target: { case: "prefix", value: input.queryBytes("prefix") },
        all: query.all ?? false,
        session: headerOf(headers, "meshkv-session"),
        requestId: headerOf(headers, "idempotency-key"),
        ...(concern === undefined ? {} : { concern }),
      });
      const reply = create(DeleteResponseSchema, await handlers.delete(request, call));
      const { version, replicas, session } = reply;
      const counts = { deleted: Number(reply.deleted), replicas };
      const body = version === "" ? counts : { ...counts, version };
      return { status: 200, headers: sessionHeader(session), body };
    },
  });
}

function batchRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "POST",
    path: "/v1/batch",
    id: "batch",
    tag: "Many keys",
    operation: "batch",
    summary: "Write several keys at once",
    description:
      "One atomic commit of this replica. One condition that does not hold refuses all; `index` tells which.",
    query: Type.Object(
      { concern: Type.Optional(PARAMETERS.concern), timeout: Type.Optional(PARAMETERS.timeout) },
      { additionalProperties: false },
    ),
    headers: WRITE_HEADERS,
    body: {
      isRequired: true,
      isJson: true,
      limit: "batch",
      contents: {
        "application/json": {
          schema: BATCH,
          examples: {
            batch: {
              writes: [
                { op: "set", key: "cart/1", value: "2 apples", ttl: "1h" },
                { op: "delete", key: "cart/2" },
              ],
            },
          },
        },
      },
    },
    replies: {
      200: {
        description: "All were written.",
        headers: SESSION_REPLY,
        contents: {
          "application/json": {
            schema: BATCH_RESULT,
            examples: { written: { versions: [VERSION, VERSION], replicas: 1 } },
          },
        },
      },
    },
    errors: [...WRITE_ERRORS, "CONDITION_FAILED", "UNSUPPORTED_MEDIA_TYPE"],
    async answer({ query, headers, json }, call): Promise<Answer> {
      const concern = concernOf(query.concern);
      const request = create(BatchRequestSchema, {
        writes: writesOf(json as Type.Static<typeof BATCH>),
        session: headerOf(headers, "meshkv-session"),
        requestId: headerOf(headers, "idempotency-key"),
        ...(concern === undefined ? {} : { concern }),
      });
      const reply = create(BatchResponseSchema, await handlers.batch(request, call));
      const { versions, replicas, session } = reply;
      return { status: 200, headers: sessionHeader(session), body: { versions, replicas } };
    },
  });
}

function getManyRoute(getMany: NonNullable<HttpHandlers["getMany"]>): Route {
  return defineRoute({
    method: "POST",
    path: "/v1/get",
    id: "getMany",
    tag: "Many keys",
    operation: "get-many",
    summary: "Read several keys",
    query: Type.Object({ timeout: Type.Optional(PARAMETERS.timeout) }, { additionalProperties: false }),
    headers: READ_HEADERS,
    body: {
      isRequired: true,
      isJson: true,
      limit: "other",
      contents: { "application/json": { schema: KEYS, examples: { keys: { keys: ["cart/1", "cart/2"] } } } },
    },
    replies: {
      200: {
        description: "One entry or null for each key.",
        headers: SESSION_REPLY,
        contents: { "application/json": { schema: ENTRIES, examples: { none: { entries: [null, null] } } } },
      },
    },
    errors: [...READ_ERRORS, "TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"],
    async answer({ headers, json }, call): Promise<Answer> {
      const { keys, keyEncoding } = json as { keys: readonly string[]; keyEncoding?: Encoding };
      if (keys.length === 0) {
        throw new InputError([
          { loc: ["body", "keys"], msg: "keys: is empty: send at least one", type: "too_short" },
        ]);
      }
      const request = create(GetManyRequestSchema, {
        keys: keys.map((key, index) => bytesOf(key, keyEncoding, `keys[${index}]`)),
        session: headerOf(headers, "meshkv-session"),
      });
      const { responses, session } = create(GetManyResponseSchema, await getMany(request, call));
      const entries = responses.map(({ entry }) => (entry === undefined ? null : entryJson(entry)));
      return { status: 200, headers: sessionHeader(session), body: { entries } };
    },
  });
}
