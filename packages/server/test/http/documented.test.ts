import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SwaggerParser from "@apidevtools/swagger-parser";
import { type ErrorCode, MeshkvError } from "@meshkv/core";
import { httpStatusOf } from "@meshkv/protocol";
import { createConfig, lint } from "@redocly/openapi-core";
import { Check, Errors } from "typebox/schema";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Route } from "../../src/http/route.ts";
import { PROBLEM } from "../../src/http/schemas.ts";
import { type HttpServer, httpRoutes, serveHttp } from "../../src/http/serve-http.ts";
import { call, SILENT } from "./http-server.ts";
import { type Script, stubHandlers } from "./stub-handlers.ts";

const script: Script = {};
let isReady = true;
const sources = {
  readiness: () => ({ ready: isReady, state: isReady ? "ready" : "starting", reason: "" }),
  metrics: async () => ({ text: "meshkv_keys 1\n", contentType: "text/plain" }),
};

let server: HttpServer;
let base = "";
let document: {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, object> }>>;
};
beforeAll(async () => {
  server = await serveHttp({
    ...sources,
    address: { host: "127.0.0.1", port: 0 },
    handlers: stubHandlers(script),
    version: "1.2.3",
    log: SILENT,
    observe: () => ({ ended: () => undefined, counted: () => undefined }),
    origins: [],
  });
  base = `http://127.0.0.1:${server.address.port}`;
  document = (await call(base, "/openapi.json")).json as unknown as typeof document;
});
afterAll(() => server.stop(0));

/** Requests that are well formed, by route. */
const BODIES: Readonly<Record<string, unknown>> = {
  batch: { writes: [{ op: "delete", key: "a" }] },
  getMany: { keys: ["a", "b"] },
  restoreConflict: { key: "a", version: "v" },
  verify: {},
};

interface Sent {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

function send(route: Route, { query = "", headers = {}, body }: Sent = {}) {
  const path = route.path.replace("{key64}", "aw").replace(/\{\w+\}/, "0123456789abcdef");
  const json = BODIES[route.id];
  const needed = route.id === "deletePrefix" ? (query === "" ? "?prefix=a" : `${query}&prefix=a`) : query;
  return call(base, `${path}${needed}`, {
    method: route.method,
    headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body !== undefined
      ? { body: body as NonNullable<RequestInit["body"]> }
      : json === undefined
        ? {}
        : { body: JSON.stringify(json) }),
  });
}

/** Codes that the door itself finds, and the requests that have them. */
const OWN: Partial<Record<ErrorCode, (route: Route) => Sent>> = {
  INVALID_ARGUMENT: () => ({ query: "?nonsense=1" }),
  UNSUPPORTED_MEDIA_TYPE: () => ({ headers: { "content-type": "text/plain" } }),
};

async function provoke(route: Route, code: ErrorCode) {
  if (code === "NOT_FOUND" && route.id.startsWith("getKey")) {
    script.isAbsent = true;
    return send(route).finally(() => (script.isAbsent = false));
  }
  if (code === "PERMISSION_DENIED") return deniedBy(route);
  const own = OWN[code];
  if (own !== undefined) return send(route, own(route));
  script.failure = new MeshkvError(code, "as the test says");
  return send(route).finally(() => (script.failure = undefined));
}

/** `fetch` does not let a caller name another host. */
function deniedBy(route: Route) {
  const path = route.path.replace("{key64}", "aw").replace(/\{\w+\}/, "0123456789abcdef");
  const { port } = new URL(base);
  return new Promise<{ status: number; text: string; headers: Headers; json: { [name: string]: unknown } }>(
    (resolve, reject) => {
      const sent = request({ port, host: "127.0.0.1", path, method: route.method }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            headers: new Headers({ "content-type": response.headers["content-type"] ?? "" }),
            json: JSON.parse(text) as { [name: string]: unknown },
          }),
        );
      });
      sent.setHeader("host", "rebound.example.org");
      sent.on("error", reject).end();
    },
  );
}

async function repliesOf(route: Route, status: number): Promise<Awaited<ReturnType<typeof send>>[]> {
  if (status === 201) {
    script.isCreated = true;
    return [await send(route).finally(() => (script.isCreated = false))];
  }
  if (status === 304) return [await send(route, { headers: { "if-none-match": "*" } })];
  if (status === 503) {
    isReady = false;
    return [await send(route).finally(() => (isReady = true))];
  }
  const types = Object.keys(route.replies[status]?.contents ?? { "application/json": {} });
  return Promise.all(types.map((accept) => send(route, { headers: { accept } })));
}

const api = httpRoutes(stubHandlers(script), sources, "1.2.3").filter(({ path }) =>
  /^\/(v1|healthz|readyz|metrics)/.test(path),
);

it.each(api.map((route) => [`${route.method} ${route.path}`, route] as const))(
  "%s answers with every status that is documented, and with no other",
  async (_name, route) => {
    const seen = new Set<string>();
    for (const [status, { contents }] of Object.entries(route.replies)) {
      for (const answer of await repliesOf(route, Number(status))) {
        expect([answer.status, answer.text]).toEqual([Number(status), expect.any(String)]);
        seen.add(status);
        const type = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
        const content = contents?.[type];
        expect(content !== undefined || answer.text === "" ? "documented" : type).toBe("documented");
        const isJson = content !== undefined && type.endsWith("json");
        expect(isJson ? Errors(content.schema, answer.json)[1] : []).toEqual([]);
      }
    }
    for (const code of route.errors) {
      const answer = await provoke(route, code);
      expect(answer.json).toMatchObject({ code, status: httpStatusOf(code) });
      expect(answer.status).toBe(httpStatusOf(code));
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
      expect(Check(PROBLEM, answer.json)).toBe(true);
      seen.add(String(answer.status));
    }
    const documented = document.paths[route.path]?.[route.method.toLowerCase()]?.responses ?? {};
    expect([...seen].sort()).toEqual(Object.keys(documented).sort());
  },
);

it("the document passes two validators", async () => {
  await SwaggerParser.validate(structuredClone(document) as never);
  const folder = await mkdtemp(join(tmpdir(), "meshkv-openapi-"));
  try {
    const ref = join(folder, "openapi.json");
    await writeFile(ref, JSON.stringify(document));
    const problems = await lint({ ref, config: await createConfig({ extends: ["recommended"] }) });
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("every operation has its own id, an example, and schemas with names", () => {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(api.length);
  for (const operation of operations) expect(JSON.stringify(operation)).toContain('"examples"');
  expect(
    Object.keys((document as unknown as { components: { schemas: object } }).components.schemas),
  ).toEqual(expect.arrayContaining(["Batch", "Entry", "Page", "Problem", "Status", "WriteResult"]));
});
