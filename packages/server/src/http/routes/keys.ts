/** One key: GET, PUT, DELETE, under a path that shows the key and under one that carries any bytes. */
import {
  create,
  DeleteRequestSchema,
  DeleteResponseSchema,
  GetRequestSchema,
  GetResponseSchema,
  MeshkvError,
  SetRequestSchema,
  SetResponseSchema,
} from "@meshkv/protocol";
import * as Type from "typebox/type";
import { quoteBytes } from "../../handlers/quote-bytes.ts";
import { checkBody } from "../check-input.ts";
import { bytesOf, ENTRY_TYPE, type Encoding, entryJson, timeJson } from "../envelope.ts";
import { etagOf, isKnownToClient, writeCondition } from "../etag.ts";
import type { HttpHandlers } from "../handlers.ts";
import { keyOfSegment } from "../key-path.ts";
import { concernOf, headerOf, READ_ERRORS, sessionHeader, ttlOf, WRITE_ERRORS } from "../parameters.ts";
import { InputError } from "../problem.ts";
import { type Answer, defineRoute, type Input, type Route } from "../route.ts";
import { DELETE_RESULT, ENTRY, ENTRY_INPUT, HEADERS, PARAMETERS, WRITE_RESULT } from "../schemas.ts";

const BYTES_TYPE = "application/octet-stream";

const ENTRY_EXAMPLE = {
  key: "greeting",
  value: "hello",
  encoding: "utf8",
  version: "0000c8f2b1a400010f3a5c7e9b1d2f48",
  origin: "0f3a5c7e9b1d2f48",
  updateTime: "2026-01-31T12:00:00.000Z",
  conflicts: 0,
};

const ETAG_HEADER = Type.String({ description: "The version of the entry, in double quotes." });
const SESSION_HEADER = Type.Optional(Type.String({ description: "What the caller has now seen." }));

interface Path {
  readonly path: string;
  readonly name: "key" | "key64";
  readonly suffix: string;
  readonly key: Type.TString;
}

const PATHS: readonly Path[] = [
  {
    path: "/v1/kv/{key}",
    name: "key",
    suffix: "",
    key: Type.String({
      description: "The key: the rest of the path, percent-decoded, slashes kept.",
      examples: ["greeting"],
    }),
  },
  {
    path: "/v1/kv64/{key64}",
    name: "key64",
    suffix: "64",
    key: Type.String({
      description: "The bytes of the key as base64url, for keys that URLs cannot carry.",
      examples: ["Z3JlZXRpbmc"],
    }),
  },
];

/** The routes of single keys. */
export function keyRoutes(handlers: HttpHandlers): Route[] {
  return PATHS.flatMap((path) => [
    getRoute(path, handlers),
    putRoute(path, handlers),
    deleteRoute(path, handlers),
  ]);
}

function keyOf({ path }: Input<never>, { name }: Path): Uint8Array {
  return keyOfSegment(path[name] ?? "", name);
}

function getRoute(at: Path, handlers: HttpHandlers): Route {
  return defineRoute({
    method: "GET",
    path: at.path,
    id: `getKey${at.suffix}`,
    tag: "Keys",
    operation: "get",
    summary: "Read a key",
    description:
      "Answers the bytes of the value, or with `Accept: application/vnd.meshkv.entry+json` the entry with everything about it. HEAD answers the headers alone.",
    parameters: Type.Object({ [at.name]: at.key }),
    query: Type.Object(
      {
        timeout: Type.Optional(PARAMETERS.timeout),
        losers: Type.Optional(
          Type.Boolean({ description: "Also answer the losing concurrent writes, in the entry's `losers`." }),
        ),
      },
      { additionalProperties: false },
    ),
    headers: Type.Object({
      "Meshkv-Session": Type.Optional(HEADERS.session),
      "If-None-Match": Type.Optional(
        Type.String({ description: "An entity tag: 304 when it is still current." }),
      ),
    }),
    replies: {
      200: {
        description: "The value.",
        headers: Type.Object({
          ETag: ETAG_HEADER,
          "Meshkv-Conflicts": Type.Optional(
            Type.String({ description: "Losing concurrent writes that are kept." }),
          ),
          "Meshkv-Expire-Time": Type.Optional(Type.String({ description: "When the entry ends." })),
          "Meshkv-Session": SESSION_HEADER,
        }),
        contents: {
          [ENTRY_TYPE]: { schema: ENTRY, examples: { entry: ENTRY_EXAMPLE } },
          [BYTES_TYPE]: { schema: Type.Unknown({ description: "The bytes of the value." }) },
        },
      },
      304: {
        description: "The caller has the current version already.",
        headers: Type.Object({ ETag: ETAG_HEADER }),
      },
    },
    errors: [...READ_ERRORS, "TOO_LARGE", "NOT_FOUND"],
    async answer(input, call): Promise<Answer> {
      const key = keyOf(input, at);
      const request = create(GetRequestSchema, {
        key,
        session: headerOf(input.headers, "meshkv-session"),
        includeConflicts: input.query.losers ?? false,
      });
      const { entry, conflicts, session } = create(GetResponseSchema, await handlers.get(request, call));
      if (entry === undefined) throw new MeshkvError("NOT_FOUND", `there is no entry for ${quoteBytes(key)}`);
      const expires = timeJson(entry.expireTime);
      const headers = {
        etag: etagOf(entry.version),
        vary: "Accept, Origin",
        ...sessionHeader(session),
        ...(expires === undefined ? {} : { "meshkv-expire-time": expires }),
        ...(entry.conflictCount === 0 ? {} : { "meshkv-conflicts": String(entry.conflictCount) }),
      };
      if (isKnownToClient(entry.version, input.headers["if-none-match"])) return { status: 304, headers };
      if (!wantsEnvelope(input.headers.accept)) {
        return { status: 200, headers, contentType: BYTES_TYPE, body: entry.value };
      }
      const losers =
        input.query.losers === true ? { losers: conflicts.map((loser) => entryJson(loser)) } : {};
      return { status: 200, headers, contentType: ENTRY_TYPE, body: { ...entryJson(entry), ...losers } };
    },
  });
}

function putRoute(at: Path, handlers: HttpHandlers): Route {
  return defineRoute({
    method: "PUT",
    path: at.path,
    id: `putKey${at.suffix}`,
    tag: "Keys",
    operation: "set",
    summary: "Write a key",
    description:
      "Stores the body as it is, whatever its content type; only `application/vnd.meshkv.entry+json` is an envelope that is unpacked.",
    parameters: Type.Object({ [at.name]: at.key }),
    query: Type.Object(
      {
        ttl: Type.Optional(PARAMETERS.ttl),
        concern: Type.Optional(PARAMETERS.concern),
        timeout: Type.Optional(PARAMETERS.timeout),
      },
      { additionalProperties: false },
    ),
    headers: Type.Object({
      "If-Match": Type.Optional(HEADERS.ifMatch),
      "If-None-Match": Type.Optional(HEADERS.ifNoneMatch),
      "Meshkv-Session": Type.Optional(HEADERS.session),
      "Idempotency-Key": Type.Optional(HEADERS.requestId),
    }),
    body: {
      description: "The value.",
      isRequired: false,
      isJson: false,
      limit: "value",
      contents: {
        "text/plain": { schema: Type.String(), examples: { text: "hello" } },
        [BYTES_TYPE]: { schema: Type.Unknown({ description: "Any bytes." }) },
        [ENTRY_TYPE]: {
          schema: ENTRY_INPUT,
          examples: { text: { value: "hello" }, bytes: { value: "aGVsbG8=", encoding: "base64" } },
        },
      },
    },
    replies: {
      200: writeReply("Written over an entry."),
      201: writeReply("Written where there was no entry on this replica."),
    },
    errors: [...WRITE_ERRORS, "CONDITION_FAILED"],
    async answer(input, call): Promise<Answer> {
      const { query, headers } = input;
      const key = keyOf(input, at);
      const condition = writeCondition(headers);
      const ttl = ttlOf(query.ttl);
      const concern = concernOf(query.concern);
      const request = create(SetRequestSchema, {
        key,
        value: isEnvelope(headers["content-type"]) ? valueOfEnvelope(input.bytes, key) : input.bytes,
        session: headerOf(headers, "meshkv-session"),
        requestId: headerOf(headers, "idempotency-key"),
        ...(ttl === undefined ? {} : { ttl }),
        ...(condition === undefined ? {} : { condition }),
        ...(concern === undefined ? {} : { concern }),
      });
      const { version, session, replicas, created } = create(
        SetResponseSchema,
        await handlers.set(request, call),
      );
      return {
        status: created ? 201 : 200,
        headers: { etag: etagOf(version), ...sessionHeader(session) },
        body: { version, replicas },
      };
    },
  });
}

function deleteRoute(at: Path, handlers: HttpHandlers): Route {
  return defineRoute({
    method: "DELETE",
    path: at.path,
    id: `deleteKey${at.suffix}`,
    tag: "Keys",
    operation: "delete",
    summary: "Delete a key",
    parameters: Type.Object({ [at.name]: at.key }),
    query: Type.Object(
      { concern: Type.Optional(PARAMETERS.concern), timeout: Type.Optional(PARAMETERS.timeout) },
      { additionalProperties: false },
    ),
    headers: Type.Object({
      "If-Match": Type.Optional(HEADERS.ifMatch),
      "Meshkv-Session": Type.Optional(HEADERS.session),
      "Idempotency-Key": Type.Optional(HEADERS.requestId),
    }),
    replies: {
      200: {
        description: "Deleted; also when there was no entry, which `deleted` tells.",
        headers: Type.Object({ "Meshkv-Session": SESSION_HEADER }),
        contents: {
          "application/json": {
            schema: DELETE_RESULT,
            examples: { deleted: { deleted: 1, version: ENTRY_EXAMPLE.version, replicas: 1 } },
          },
        },
      },
    },
    errors: [...WRITE_ERRORS, "CONDITION_FAILED"],
    async answer(input, call): Promise<Answer> {
      const { query, headers } = input;
      const condition = writeCondition(headers);
      const concern = concernOf(query.concern);
      const request = create(DeleteRequestSchema, {
        target: { case: "key", value: keyOf(input, at) },
        session: headerOf(headers, "meshkv-session"),
        requestId: headerOf(headers, "idempotency-key"),
        ...(condition === undefined ? {} : { condition }),
        ...(concern === undefined ? {} : { concern }),
      });
      const reply = create(DeleteResponseSchema, await handlers.delete(request, call));
      const { version, session, replicas } = reply;
      return {
        status: 200,
        headers: sessionHeader(session),
        body: { deleted: Number(reply.deleted), version, replicas },
      };
    },
  });
}

function writeReply(description: string): Route["replies"][number] {
  return {
    description,
    headers: Type.Object({ ETag: ETAG_HEADER, "Meshkv-Session": SESSION_HEADER }),
    contents: {
      "application/json": {
        schema: WRITE_RESULT,
        examples: { written: { version: ENTRY_EXAMPLE.version, replicas: 1 } },
      },
    },
  };
}

function wantsEnvelope(accept: string | undefined): boolean {
  return accept !== undefined && accept.toLowerCase().includes(ENTRY_TYPE);
}

function isEnvelope(contentType: string | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === ENTRY_TYPE;
}

function valueOfEnvelope(body: Uint8Array, key: Uint8Array): Uint8Array {
  const envelope = checkBody(ENTRY_INPUT, body) as {
    readonly value: string;
    readonly encoding?: Encoding;
    readonly key?: string;
    readonly keyEncoding?: Encoding;
  };
  if (envelope.key !== undefined) {
    const named = bytesOf(envelope.key, envelope.keyEncoding, "key");
    if (Buffer.compare(named, key) !== 0) {
      const msg = `key: ${quoteBytes(named)} is not the key of the path, ${quoteBytes(key)}: leave it out, or send it right`;
      throw new InputError([{ loc: ["body", "key"], msg, type: "value_error" }]);
    }
  }
  return bytesOf(envelope.value, envelope.encoding, "value");
}
