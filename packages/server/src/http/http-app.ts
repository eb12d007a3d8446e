/** Fastify around the routes: parses, checks, answers, and turns every failure into a problem. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorCode, MeshkvError } from "@meshkv/core";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import * as Type from "typebox/type";
import type { EventLog } from "../runtime/event-log.ts";
import type { OperationObserver } from "../telemetry/operation-observer.ts";
import { checkBody, checkQuery } from "./check-input.ts";
import { HttpCall } from "./http-call.ts";
import type { HttpLimits } from "./http-limits.ts";
import { parseQuery, queryBytesOf, routedUrl } from "./key-path.ts";
import { allowedMethods } from "./method-table.ts";
import { timeoutMsOf } from "./parameters.ts";
import { PROBLEM_TYPE, problemOf } from "./problem.ts";
import { crossOriginHeaders, type GuardOptions, requireOwnPage } from "./request-guard.ts";
import type { Answer, Input, Route } from "./route.ts";
import { API_HEADERS } from "./security-headers.ts";

/** What the app is made of. */
export interface HttpAppOptions {
  readonly routes: readonly Route[];
  readonly limits: HttpLimits;
  readonly guard: GuardOptions;
  readonly log: EventLog;
  readonly observe: OperationObserver;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

/** Takes the requests of an HTTP server. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

const NO_QUERY = Type.Object({}, { additionalProperties: false });
const NO_BYTES = new Uint8Array(0);
const JSON_TYPE = "application/json";
/** Longer than any path that fits the headers. */
const SEGMENT_CHARS_MAX = 64 * 1024;

/** What failures inside Fastify are here. */
const FASTIFY_CODES: Readonly<Record<string, readonly [code: ErrorCode, text: string]>> = {
  FST_ERR_BAD_URL: [
    "INVALID_ARGUMENT",
    "the path is malformed: a % is not followed by two hex digits of UTF-8",
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ["TOO_LARGE", "the body is over the limit of this route: send less"],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    "UNSUPPORTED_MEDIA_TYPE",
    "the content type is malformed: send one such as text/plain",
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["INVALID_ARGUMENT", "the body is not as long as Content-Length says"],
  FST_ERR_MAX_PARAM_LENGTH: ["TOO_LARGE", "the path is too long"],
};

/** Makes the listener. */
export async function httpApp(options: HttpAppOptions): Promise<RequestListener> {
  const { routes, limits, log } = options;
  const app = Fastify({
    logger: false,
    rewriteUrl: ({ url }) => routedUrl(url ?? "/"),
    routerOptions: { maxParamLength: SEGMENT_CHARS_MAX, querystringParser: parseQuery },
    bodyLimit: limits.bodyBytesMax,
    frameworkErrors: (error, request, reply) => {
      void sendFailure(error, request, reply as unknown as FastifyReply, log);
    },
  });
  app.removeAllContentTypeParsers();
  // Values are stored as they come; what must be JSON is parsed by its route.
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(API_HEADERS).headers(crossOriginHeaders(request.raw, options.guard));
  });
  app.addHook("onResponse", async (request, reply) => {
    log.debug({ method: request.method, path: pathOf(request), status: reply.statusCode }, "HTTP request");
  });
  app.setErrorHandler((error, request, reply) => sendFailure(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => answerUnrouted(routes, request, reply));
  const bodies = new BodyBudget(limits.bodyBytesInFlightMax);
  for (const route of routes) addRoute(app, route, options, bodies);
  await app.ready();
  return (request, response) => app.routing(request, response);
}

/** Bounds what the bodies of all requests under way take together. */
class BodyBudget {
  #left: number;

  constructor(bytesMax: number) {
    this.#left = bytesMax;
  }

  /** Takes room for a body until the response has ended; throws OVERLOADED when there is none. */
  reserve(request: IncomingMessage, response: ServerResponse, bytesMax: number): void {
    const declared = request.headers["content-length"];
    const isChunked = request.headers["transfer-encoding"] !== undefined;
    const bytes = isChunked ? bytesMax : Math.min(Number(declared ?? 0) || 0, bytesMax);
    if (bytes === 0) return;
    if (bytes > this.#left) {
      throw new MeshkvError("OVERLOADED", "too many bodies are under way: try again in a moment");
    }
    this.#left -= bytes;
    response.once("close", () => {
      this.#left += bytes;
    });
  }
}

function addRoute(app: FastifyInstance, route: Route, options: HttpAppOptions, bodies: BodyBudget): void {
  const { limits, guard, observe, stopping } = options;
  const bodyLimit = bodyLimitOf(route, limits);
  const meter = route.operation === undefined ? undefined : observe("http", route.operation);
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ":$1"),
    bodyLimit,
    // Before the body is read: what is refused anyway is not waited for.
    onRequest: async (request, reply) => {
      if (route.operation === undefined) return;
      requireOwnPage(request.raw, guard);
      bodies.reserve(request.raw, reply.raw, bodyLimit);
    },
    handler: async (request, reply) => {
      const startMs = performance.now();
      let call: HttpCall | undefined;
      try {
        const input = inputOf(route, request);
        call = new HttpCall(reply.raw, stopping, timeoutMsOf(input.query["timeout"]));
        stopping.throwIfAborted();
        await send(await route.answer(input, call), request, reply);
        meter?.ended("OK", startMs);
      } catch (thrown) {
        const failure = asMeshkvError(thrown, request, options.log);
        meter?.ended(failure.code, startMs);
        if (!reply.sent) sendProblem(failure, reply);
      } finally {
        call?.answered();
      }
      return reply;
    },
  });
}

function bodyLimitOf({ body }: Route, limits: HttpLimits): number {
  if (body?.limit === "value") return limits.valueBodyBytesMax;
  return body?.limit === "batch" ? limits.batchBodyBytesMax : limits.bodyBytesMax;
}

function inputOf(route: Route, request: FastifyRequest): Input<never> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BYTES;
  const query = checkQuery(route.query ?? NO_QUERY, request.query as Record<string, unknown>);
  const schema = route.body?.isJson === true ? route.body.contents[JSON_TYPE]?.schema : undefined;
  if (schema !== undefined) requireJson(request.headers["content-type"]);
  return {
    path: request.params as Record<string, string>,
    query: query as never,
    queryText: (name) => (typeof query[name] === "string" ? query[name] : ""),
    queryBytes: (name) => queryBytesOf(request.raw.url ?? "", name),
    headers: request.headers,
    json: schema === undefined ? undefined : checkBody(schema, bytes),
    bytes,
    isHead: request.method === "HEAD",
  };
}

function requireJson(contentType: string | undefined): void {
  if (contentType?.split(";", 1)[0]?.trim().toLowerCase() === JSON_TYPE) return;
  const text = `the body must be JSON: send the header "content-type: ${JSON_TYPE}"`;
  throw new MeshkvError("UNSUPPORTED_MEDIA_TYPE", text);
}

async function send(answer: Answer, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.code(answer.status).headers(answer.headers ?? {});
  if ("stream" in answer) {
    const { raw } = reply;
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, { "content-type": answer.contentType });
    if (request.method === "HEAD") raw.end();
    else await answer.stream(raw);
    return;
  }
  const { body } = answer;
  if (body === undefined) {
    await reply.send();
    return;
  }
  const isObject = typeof body === "object" && !(body instanceof Uint8Array);
  reply.header("content-type", answer.contentType ?? JSON_TYPE);
  await reply.send(isObject ? JSON.stringify(body) : asBuffer(body));
}

/** Without a copy. */
function asBuffer(body: string | Uint8Array): string | Buffer {
  return typeof body === "string" ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function answerUnrouted(
  routes: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { method } = request;
  const path = pathOf(request);
  const allowed = allowedMethods(routes, path);
  if (allowed === undefined) {
    const text = `there is nothing at this path: / and /docs tell what there is`;
    return sendProblem(new MeshkvError("NOT_FOUND", text), reply);
  }
  reply.header("allow", allowed.join(", "));
  if (method === "OPTIONS") return reply.code(204).send();
  const text = `${method} is not served here: use ${allowed.join(", ")}`;
  return sendProblem(new MeshkvError("METHOD_NOT_ALLOWED", text), reply);
}

function pathOf(request: FastifyRequest): string {
  return request.originalUrl.split("?", 1)[0]?.slice(0, 200) ?? "";
}

function sendFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: EventLog,
): FastifyReply {
  return sendProblem(asMeshkvError(error, request, log), reply);
}

function sendProblem(error: MeshkvError, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  if (error.code === "OVERLOADED" || problem.status === 503) reply.header("retry-after", "1");
  const { version } = error.metadata;
  if (version !== undefined) reply.header("etag", `"${version}"`);
  return reply.code(problem.status).header("content-type", PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** What is no operating failure is a bug: it is logged whole, and the caller is told only the number of the log entry. */
function asMeshkvError(thrown: unknown, request: FastifyRequest, log: EventLog): MeshkvError {
  if (thrown instanceof MeshkvError) return thrown;
  const known = FASTIFY_CODES[(thrown as { readonly code?: string } | null)?.code ?? ""];
  if (known !== undefined) return new MeshkvError(...known);
  const incident = randomUUID();
  log.error(
    { err: thrown, method: request.method, path: pathOf(request), incident },
    "a request failed unexpectedly",
  );
  const text = `an error inside the server; its log has the details under ${incident}`;
  return new MeshkvError("INTERNAL", text, { incident });
}
