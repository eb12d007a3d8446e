/** Losing concurrent writes: listing them, and writing one again. */
import {
  create,
  ListConflictsRequestSchema,
  ListConflictsResponseSchema,
  RestoreConflictRequestSchema,
  RestoreConflictResponseSchema,
} from "@meshkv/protocol";
import * as Type from "typebox/type";
import { bytesOf, type Encoding, entryJson } from "../envelope.ts";
import type { HttpHandlers } from "../handlers.ts";
import { concernOf, headerOf, READ_ERRORS, sessionHeader, WRITE_ERRORS } from "../parameters.ts";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { CONFLICTS, HEADERS, PARAMETERS, RESTORE, WRITE_RESULT } from "../schemas.ts";

const VERSION = "0000c8f2b1a400010f3a5c7e9b1d2f48";
const SESSION_REPLY = Type.Object({
  "Meshkv-Session": Type.Optional(Type.String({ description: "What the caller has now seen." })),
});

/** The routes of conflicts. */
export function conflictRoutes({ listConflicts, restoreConflict }: HttpHandlers): Route[] {
  return [
    ...(listConflicts === undefined ? [] : [conflictsRoute(listConflicts)]),
    ...(restoreConflict === undefined ? [] : [restoreRoute(restoreConflict)]),
  ];
}

function conflictsRoute(listConflicts: NonNullable<HttpHandlers["listConflicts"]>): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/conflicts",
    id: "listConflicts",
    tag: "Conflicts",
    operation: "list-conflicts",
    summary: "List conflicts",
    description: "Keys with losing concurrent writes that are still kept, with winner and losers.",
    query: Type.Object(
      {
        prefix: Type.Optional(PARAMETERS.prefix),
        limit: Type.Optional(PARAMETERS.limit),
        cursor: Type.Optional(PARAMETERS.cursor),
        timeout: Type.Optional(PARAMETERS.timeout),
      },
      { additionalProperties: false },
    ),
    headers: Type.Object({ "Meshkv-Session": Type.Optional(HEADERS.session) }),
    replies: {
      200: {
        description: "A page.",
        headers: SESSION_REPLY,
        contents: { "application/json": { schema: CONFLICTS, examples: { none: { conflicts: [] } } } },
      },
    },
    errors: [...READ_ERRORS, "TOO_LARGE"],
    async answer(input, call): Promise<Answer> {
      const request = create(ListConflictsRequestSchema, {
        prefix: input.queryBytes("prefix"),
        pageSize: input.query.limit ?? 0,
        pageToken: input.query.cursor ?? "",
        session: headerOf(input.headers, "meshkv-session"),
      });
      const reply = create(ListConflictsResponseSchema, await listConflicts(request, call));
      const conflicts = reply.conflicts.map(({ winner, losers }) => ({
        ...(winner === undefined ? {} : { winner: entryJson(winner) }),
        losers: losers.map((loser) => entryJson(loser)),
      }));
      const cursor = reply.nextPageToken === "" ? {} : { cursor: reply.nextPageToken };
      return { status: 200, body: { conflicts, ...cursor } };
    },
  });
}

function restoreRoute(restoreConflict: NonNullable<HttpHandlers["restoreConflict"]>): Route {
  return defineRoute({
    method: "POST",
    path: "/v1/conflicts/restore",
    id: "restoreConflict",
    tag: "Conflicts",
    operation: "restore-conflict",
    summary: "Write a loser again",
    description:
      "As a new write that has seen all: afterwards it is the current entry, and the conflict is settled.",
    query: Type.Object(
      { concern: Type.Optional(PARAMETERS.concern), timeout: Type.Optional(PARAMETERS.timeout) },
      { additionalProperties: false },
    ),
    headers: Type.Object({
      "Meshkv-Session": Type.Optional(HEADERS.session),
      "Idempotency-Key": Type.Optional(HEADERS.requestId),
    }),
    body: {
      isRequired: true,
      isJson: true,
      limit: "other",
      contents: {
        "application/json": { schema: RESTORE, examples: { restore: { key: "cart/1", version: VERSION } } },
      },
    },
    replies: {
      200: {
        description: "Written again.",
        headers: SESSION_REPLY,
        contents: {
          "application/json": {
            schema: WRITE_RESULT,
            examples: { written: { version: VERSION, replicas: 1 } },
          },
        },
      },
    },
    errors: [...WRITE_ERRORS, "NOT_FOUND", "CONDITION_FAILED", "UNSUPPORTED_MEDIA_TYPE"],
    async answer({ query, headers, json }, call): Promise<Answer> {
      const { key, keyEncoding, version } = json as { key: string; keyEncoding?: Encoding; version: string };
      const concern = concernOf(query.concern);
      const request = create(RestoreConflictRequestSchema, {
        key: bytesOf(key, keyEncoding, "key"),
        version,
        session: headerOf(headers, "meshkv-session"),
        requestId: headerOf(headers, "idempotency-key"),
        ...(concern === undefined ? {} : { concern }),
      });
      const reply = create(RestoreConflictResponseSchema, await restoreConflict(request, call));
      const { session, replicas } = reply;
      return { status: 200, headers: sessionHeader(session), body: { version: reply.version, replicas } };
    },
  });
}
