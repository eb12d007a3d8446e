/** The HTTP door: a server with limits around the app. */
import { createServer, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { MeshkvError } from "@meshkv/core";
import type { Address } from "../config/address.ts";
import { listenError } from "../grpc/connection-gate.ts";
import type { EventLog } from "../runtime/event-log.ts";
import type { OperationObserver } from "../telemetry/operation-observer.ts";
import type { HttpHandlers } from "./handlers.ts";
import { httpApp, type RequestListener } from "./http-app.ts";
import { type HttpLimits, httpLimits } from "./http-limits.ts";
import { openApiDocument } from "./openapi.ts";
import { pageRoutes } from "./pages/page-routes.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import type { Route } from "./route.ts";
import { conflictRoutes } from "./routes/conflicts.ts";
import { keyRoutes } from "./routes/keys.ts";
import { listRoutes } from "./routes/lists.ts";
import { meshRoutes } from "./routes/mesh.ts";
import { operationRoutes, type OperationSources } from "./routes/operation.ts";
import { verifyRoutes } from "./routes/verify.ts";
import { watchRoutes } from "./routes/watch.ts";

/** How often connections that have become idle are closed while the server stops, in milliseconds. */
const SWEEP_MS = 20;

/** What an HTTP server is made of. */
export interface ServeHttpOptions extends OperationSources {
  readonly address: Address;
  readonly handlers: HttpHandlers;
  readonly version: string;
  readonly log: EventLog;
  readonly observe: OperationObserver;
  /** Origins whose pages may write, beside this server's own. */
  readonly origins: readonly string[];
  readonly limits?: Partial<HttpLimits>;
}

/** An HTTP server that listens. */
export interface HttpServer {
  /** With the port that was chosen, if the one asked for was 0. */
  readonly address: Address;
  /** Open connections. */
  readonly connections: () => number;
  /**
   * Stops: takes no more connections, ends streams, lets requests finish, and cuts what is left after `timeoutMs`.
   * Resolves when every connection is closed; never rejects.
   */
  stop(timeoutMs: number): Promise<void>;
}

/** The routes that the handlers allow, with the pages that describe them. */
export function httpRoutes(handlers: HttpHandlers, sources: OperationSources, version: string): Route[] {
  const api = [
    ...keyRoutes(handlers),
    ...listRoutes(handlers),
    ...watchRoutes(handlers),
    ...conflictRoutes(handlers),
    ...meshRoutes(handlers),
    ...verifyRoutes(handlers),
    ...operationRoutes(sources),
  ];
  return [...api, ...pageRoutes({ document: () => openApiDocument(api, version), version })];
}

/** Serves HTTP without encryption. Throws ADDRESS_IN_USE, or INVALID_ARGUMENT for an address that is none of this machine's. */
export async function serveHttp(options: ServeHttpOptions): Promise<HttpServer> {
  const { handlers, log, observe, version, origins } = options;
  const limits: HttpLimits = { ...httpLimits(), ...options.limits };
  const stopping = new AbortController();
  const listener = await httpApp({
    routes: httpRoutes(handlers, options, version),
    limits,
    guard: { listenHost: options.address.host, origins },
    log,
    observe,
    stopping: stopping.signal,
  });
  const server = limitedServer(limits, listener);
  const address = await listen(server, options.address);
  let stopped: Promise<void> | undefined;
  const stop = async (timeoutMs: number): Promise<void> => {
    stopping.abort(new MeshkvError("UNAVAILABLE", "this server is stopping: ask another one"));
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    // Connections become idle one by one, as their last requests are answered.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(timer);
  };
  let open = 0;
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => {
      open -= 1;
    });
  });
  return {
    address,
    connections: () => open,
    stop(timeoutMs) {
      stopped ??= stop(timeoutMs);
      return stopped;
    },
  };
}

function limitedServer(limits: HttpLimits, listener: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkMs,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = limits.connectionsMax;
  // A connection on which nothing moves: it is idle, or its client does not read what waits for it. Only one that waits
  // for our answer may go on waiting.
  const answering = new WeakMap<Duplex, number>();
  server.on("request", ({ socket }, response) => {
    answering.set(socket, (answering.get(socket) ?? 0) + 1);
    response.once("close", () => answering.set(socket, (answering.get(socket) ?? 1) - 1));
  });
  server.setTimeout(limits.unreadMs, (socket) => {
    if (socket.writableLength > 0 || (answering.get(socket) ?? 0) === 0) socket.destroy();
  });
  server.on("clientError", refuseMalformed);
  return server;
}

/** What is no HTTP gets an answer that HTTP clients understand, and the connection ends. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, detail] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "the headers are too long: a key in a path has at most 1,024 bytes"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "the request did not come in time"]
        : [400, "this is no HTTP request"];
  const title = STATUS_CODES[status] ?? "";
  const code = status === 431 ? "TOO_LARGE" : status === 408 ? "DEADLINE_EXCEEDED" : "INVALID_ARGUMENT";
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function listen(server: Server, { host, port }: Address): Promise<Address> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, { host, port })));
    server.listen({ host, port, exclusive: true }, resolve);
  });
  server.removeAllListeners("error");
  // Such as too many open files: connections wait in the system's queue meanwhile.
  server.on("error", () => undefined);
  const bound = server.address();
  return { host, port: typeof bound === "object" && bound !== null ? bound.port : port };
}
