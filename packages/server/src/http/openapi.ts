/** The OpenAPI document, made from the routes: what is served and what is described cannot differ. */
import type { ErrorCode } from "@meshkv/core";
import { httpStatusOf } from "@meshkv/protocol";
import type { TObject, TSchema } from "typebox/type";
import { PROBLEM_TYPE, titleOf } from "./problem.ts";
import type { Contents, DocumentedReply, Route, Tag } from "./route.ts";
import { COMPONENTS } from "./schemas.ts";

type Json = { [name: string]: unknown };

const TAGS: Readonly<Record<Tag, string>> = {
  Keys: "One key: its value as bytes, or the entry with everything about it.",
  "Many keys": "Lists, batches, deletes of a prefix.",
  Watch: "Changes as they happen.",
  Conflicts: "Losing concurrent writes are kept: list them, and write one again.",
  Mesh: "This replica and the others.",
  Operation: "Health and metrics.",
};

const ERROR_TEXTS: Partial<Record<ErrorCode, string>> = {
  INVALID_ARGUMENT: "something in the request is malformed; `errors` tells what and where",
  TOO_LARGE: "a key, a value, a batch or the body is over its limit",
  NOT_FOUND: "there is no such entry",
  CONDITION_FAILED:
    "the condition does not hold on this replica; `version` is the current one, absent when there is no entry",
  UNAVAILABLE: "this replica is starting or closing: another one may serve",
  CONCERN_NOT_MET: "written here, but not on as many replicas as asked for in time; `version` is the write's",
  SESSION_NOT_MET: "this replica lacks what the session has seen: another one may serve",
  DEADLINE_EXCEEDED: "the timeout of the request has passed",
  INTERNAL: "an error inside the server; its log has more",
  UNSUPPORTED_MEDIA_TYPE: "the body is not of the media type that is taken",
  MEMBER_NOT_FOUND: "there is no such member",
  FORCE_REQUIRED: "a member could not be asked for the leaving replica's writes: repeat with `force`",
  RESUME_TOO_OLD: "the token is older than what this replica still knows: read the current state again",
  CLOCK_SKEW: "this replica's clock is off; writes are refused: another one may serve",
  STORAGE_FULL: "the disk of this replica is full; reads go on",
  STORAGE_FAILED: "the disk of this replica fails; reads go on where it lets them",
  PERMISSION_DENIED: "a page of another site may not call here",
  OVERLOADED: "too much is under way: try again in a moment",
};

const DESCRIPTION = `Keys and values are bytes. \`PUT\` stores the body as it is, \`GET\` answers it as it is; everything else is JSON.
Errors are problems (RFC 9457) with a \`code\`: test the code, never the text. An unknown parameter is an error, not passed
over. Any request with a method that a path does not serve is answered 405 with \`Allow\`; \`OPTIONS\` tells it too.
Requests that are not HTTP, or too slow, are answered 400, 408 or 431 before any route sees them.`;

/** The document that describes the routes. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operationOf(route);
    paths[route.path] = path;
  }
  const used = new Set(routes.map(({ tag }) => tag));
  return {
    openapi: "3.1.0",
    info: {
      title: "meshkv",
      version,
      summary: "A distributed key-value store: every replica takes writes.",
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "This replica" }],
    // There are no passwords yet; servers listen on their own machine only unless told otherwise.
    security: [],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name as Tag))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: { schemas: componentsOf(routes) },
  };
}

function nameOf(schema: TSchema): string {
  return "$id" in schema && typeof schema.$id === "string" ? schema.$id : "";
}

/** Only what the routes use. */
function componentsOf(routes: readonly Route[]): Json {
  const known = new Map<string, TSchema>(COMPONENTS.map((schema) => [nameOf(schema), schema]));
  const found: Json = {};
  const visit = (value: unknown): void => {
    const names = JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name = ""] of names) {
      const schema = known.get(name);
      if (schema === undefined || Object.hasOwn(found, name)) continue;
      found[name] = definitionOf(schema);
      visit(found[name]);
    }
  };
  for (const route of routes) visit(operationOf(route));
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function operationOf(route: Route): Json {
  const parameters = [
    ...parametersOf("path", route.parameters),
    ...parametersOf("query", route.query),
    ...parametersOf("header", route.headers),
  ];
  const { body } = route;
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            ...(body.description === undefined ? {} : { description: body.description }),
            required: body.isRequired,
            content: contentOf(body.contents),
          },
        }),
    responses: {
      ...Object.fromEntries(Object.entries(route.replies).map(([status, reply]) => [status, replyOf(reply)])),
      ...errorReplies(route),
    },
  };
}

function parametersOf(place: "path" | "query" | "header", schema: TObject | undefined): Json[] {
  if (schema === undefined) return [];
  const required = new Set<string>(schema.required);
  return Object.entries(schema.properties).map(([name, property]) => {
    const { description, examples, ...rest } = schemaOf(property) as Json;
    const [example] = Array.isArray(examples) ? (examples as unknown[]) : [];
    return {
      name,
      in: place,
      required: required.has(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
      // The page tries what it shows: an example of what can be left out would be sent along.
      ...(example === undefined ? {} : required.has(name) ? { example } : { schema: { ...rest, examples } }),
    };
  });
}

function replyOf({ description, headers, contents }: DocumentedReply): Json {
  return {
    description,
    ...(headers === undefined ? {} : { headers: headersOf(headers) }),
    ...(contents === undefined ? {} : { content: contentOf(contents) }),
  };
}

function headersOf(schema: TObject): Json {
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, property]) => {
      const { description, ...rest } = schemaOf(property) as Json;
      return [name, { ...(description === undefined ? {} : { description }), schema: rest }];
    }),
  );
}

function contentOf(contents: Contents): Json {
  return Object.fromEntries(
    Object.entries(contents).map(([type, { schema, examples }]) => [
      type,
      {
        schema: schemaOf(schema),
        ...(examples === undefined
          ? {}
          : {
              examples: Object.fromEntries(
                Object.entries(examples).map(([name, value]) => [name, { value }]),
              ),
            }),
      },
    ]),
  );
}

/** Errors by status: several codes may share one. */
function errorReplies({ errors }: Route): Json {
  const codes = new Map<number, ErrorCode[]>();
  for (const code of new Set(errors)) {
    const status = httpStatusOf(code);
    codes.set(status, [...(codes.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    Array.from(codes, ([status, several]) => [
      status,
      {
        description: several
          .map((code) => `\`${code}\`: ${ERROR_TEXTS[code] ?? titleOf(status)}.`)
          .join("\n\n"),
        content: {
          [PROBLEM_TYPE]: {
            schema: { $ref: "#/components/schemas/Problem" },
            examples: Object.fromEntries(
              several.map((code) => [code, { value: problemExample(code, status) }]),
            ),
          },
        },
      },
    ]),
  );
}

function problemExample(code: ErrorCode, status: number): Json {
  const problem = {
    type: "about:blank",
    title: titleOf(status),
    status,
    detail: ERROR_TEXTS[code] ?? titleOf(status),
    code,
  };
  if (code !== "INVALID_ARGUMENT") return problem;
  const msg = 'ttl: "1w" is not a duration: write a number and a unit (ms, s, m, h, d), such as 60s';
  return { ...problem, detail: msg, errors: [{ loc: ["query", "ttl"], msg, type: "value_error" }] };
}

/** A schema as JSON; what has a name is referred to. */
function schemaOf(schema: TSchema): unknown {
  return referring(JSON.parse(JSON.stringify(schema)), true);
}

function definitionOf(schema: TSchema): unknown {
  return referring(JSON.parse(JSON.stringify(schema)), false);
}

function referring(value: unknown, isReplaced: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => referring(item, true));
  if (typeof value !== "object" || value === null) return value;
  const { $id, ...rest } = value as Json;
  if (typeof $id === "string" && isReplaced) return { $ref: `#/components/schemas/${$id}` };
  return Object.fromEntries(Object.entries(rest).map(([name, item]) => [name, referring(item, true)]));
}
