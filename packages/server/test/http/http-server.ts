/** A whole server in memory, in this process, for tests of the HTTP door. */
import { vi } from "vitest";
import {
  type EventLog,
  loadConfig,
  type RunningServer,
  type Settings,
  startServer,
} from "../../src/index.ts";

// What a machine may take that is busy with other things; usually all of it is a matter of seconds.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A log that says nothing. */
export const SILENT: EventLog = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

/** A server and the URL of its HTTP. */
export interface HttpTestServer {
  readonly server: RunningServer;
  readonly base: string;
  stop(): Promise<void>;
}

/** Starts a server on free ports of loopback. */
export async function startHttpTestServer(
  flags: Settings = {},
  log: EventLog = SILENT,
): Promise<HttpTestServer> {
  const { config } = await loadConfig({
    flags: { listen: "127.0.0.1:0", http: "0", memory: true, ...flags },
    environment: {},
  });
  const server = await startServer(config, log);
  return { server, base: `http://${server.httpAddress ?? ""}`, stop: () => server.stop() };
}

/** What a test looks at in an answer. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON. Throws when it is none. */
  readonly json: { readonly [name: string]: unknown };
}

/** Sends a request. The path goes as it is: `fetch` would tidy dots away. */
export async function call(base: string, path: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(`${base}${path}`, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as { readonly [name: string]: unknown };
    },
  };
}

/** A request with JSON in it. */
export function jsonBody(body: unknown, method = "POST"): RequestInit {
  return { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}
