import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpServer, serveHttp } from "../../src/http/serve-http.ts";
import { call, type HttpTestServer, SILENT, startHttpTestServer } from "./http-server.ts";
import { stubHandlers } from "./stub-handlers.ts";

/** Each takes a file descriptor on either side, in this one process. */
const IDLE_CONNECTIONS = Number(process.env["MESHKV_IDLE_CONNECTIONS"] ?? 2000);

let http: HttpTestServer;
beforeAll(async () => {
  http = await startHttpTestServer();
});
afterAll(() => http.stop());

function open(base: string): Promise<Socket> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => resolve(socket));
    socket.on("error", reject);
  });
}

/** What a connection answers until it is closed. */
async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await once(socket, "close");
  return text;
}

/** The status of a request with headers that `fetch` would not send. */
function statusWith(
  base: string,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject).end();
  });
}

async function impatientServer(limits: Parameters<typeof serveHttp>[0]["limits"]): Promise<HttpServer> {
  return serveHttp({
    address: { host: "127.0.0.1", port: 0 },
    handlers: stubHandlers({}),
    version: "1.2.3",
    log: SILENT,
    observe: () => ({ ended: () => undefined, counted: () => undefined }),
    origins: ["https://admin.example.org"],
    readiness: () => ({ ready: true, state: "ready", reason: "" }),
    metrics: async () => ({ text: "", contentType: "text/plain" }),
    limits: limits ?? {},
  });
}

describe("slow and idle clients", () => {
  it("do not keep others waiting", async () => {
    const idle: Socket[] = [];
    for (let opened = 0; opened < IDLE_CONNECTIONS; opened += 100) {
      idle.push(...(await Promise.all(Array.from({ length: 100 }, () => open(http.base)))));
    }
    // Half of them say something, and never the whole of it.
    for (const [index, socket] of idle.entries())
      if (index % 2 === 0) socket.write("GET /v1/kv/a HTTP/1.1\r\nHost:");
    const startMs = performance.now();
    for (let count = 0; count < 200; count += 1) {
      expect((await call(http.base, `/v1/kv/k${count}`, { method: "PUT", body: "1" })).status).toBe(201);
    }
    const ms = performance.now() - startMs;
    process.stderr.write(`${idle.length} idle connections: 200 writes in ${ms.toFixed(0)} ms\n`);
    for (const socket of idle) socket.destroy();
  }, 120_000);

  it("are cut when their time is over", async () => {
    const hasty = await impatientServer({ headersMs: 200, requestMs: 400, checkMs: 50 });
    // One that is only impatient with silence: it hears out whoever speaks, however slow this machine is.
    const patient = await impatientServer({ idleMs: 200 });
    const openAt = (server: HttpServer) => open(`http://127.0.0.1:${server.address.port}`);
    try {
      const [slowHeaders, slowBody] = await Promise.all([openAt(hasty), openAt(hasty)]);
      const silent = await openAt(patient);
      slowHeaders.write("GET / HTTP/1.1\r\nX: ");
      slowBody.write("PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc");
      silent.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      const [headers, body, kept] = await Promise.all([slowHeaders, slowBody, silent].map(answerOf));
      expect(headers).toContain("408");
      expect(body).toContain("408");
      expect(kept).toContain('"alive":true');
    } finally {
      await Promise.all([hasty.stop(0), patient.stop(0)]);
    }
  });

  it("are refused when there are too many", async () => {
    const server = await impatientServer({ connectionsMax: 2 });
    const base = `http://127.0.0.1:${server.address.port}`;
    try {
      const kept = await Promise.all([open(base), open(base)]);
      expect(await answerOf(await open(base))).toBe("");
      for (const socket of kept) socket.destroy();
    } finally {
      await server.stop(0);
    }
  });
});

describe("bodies", () => {
  it("have a limit, which is told before they are sent", async () => {
    const socket = await open(http.base);
    socket.write("PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n");
    expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 413 [\s\S]*"code":"TOO_LARGE"/);
    const over = new Uint8Array(1024 * 1024 + 1);
    expect((await call(http.base, "/v1/kv/a", { method: "PUT", body: over })).status).toBe(413);
    expect((await call(http.base, "/v1/kv/a", { method: "PUT", body: over.subarray(1) })).status).toBe(201);
  });

  it("share one budget", async () => {
    const server = await impatientServer({ bodyBytesInFlightMax: 1000 });
    const base = `http://127.0.0.1:${server.address.port}`;
    try {
      const busy = await open(base);
      busy.write("PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n");
      let status = 0;
      while (status !== 429) {
        status = (await call(base, "/v1/kv/b", { method: "PUT", body: "x".repeat(200) })).status;
        await sleep(20);
      }
      busy.destroy();
      while (status !== 200)
        status = (await call(base, "/v1/kv/b", { method: "PUT", body: "x".repeat(200) })).status;
    } finally {
      await server.stop(0);
    }
  });
});

describe("what is no HTTP", () => {
  it.each([
    ["bytes", "\u0000\u0001\u0002\r\n\r\n", 400],
    ["a zero in a header", "GET / HTTP/1.1\r\nA: b\u0000c\r\n\r\n", 400],
    ["no length", "PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400],
    [
      "two lengths",
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      400,
    ],
    ["long headers", `GET / HTTP/1.1\r\nX: ${"a".repeat(20_000)}\r\n\r\n`, 431],
  ])("(%s) is answered, and the connection ends", async (_name, text, status) => {
    const socket = await open(http.base);
    socket.write(text);
    expect(await answerOf(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("foreign pages", () => {
  const write = (headers: Record<string, string>) => statusWith(http.base, "PUT", "/v1/kv/f", headers);

  it("may not write, nor pass for this server", async () => {
    const own = new URL(http.base).host;
    expect(await write({ origin: http.base })).toBeLessThan(300);
    expect(await write({})).toBeLessThan(300);
    expect(await write({ origin: "https://evil.example.org" })).toBe(403);
    expect(await write({ origin: "null" })).toBe(403);
    expect(await write({ "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await write({ host: "evil.example.org" })).toBe(403);
    expect(await write({ host: "localhost:1" })).toBeLessThan(300);
    expect(await statusWith(http.base, "GET", "/v1/kv/f", { host: "evil.example.org" })).toBe(403);
    expect(await statusWith(http.base, "GET", "/v1/kv/f", { host: own })).toBe(200);
  });

  it("may if they were named, and get no CORS headers otherwise", async () => {
    const { headers } = await call(http.base, "/v1/kv/f", {
      headers: { origin: "https://evil.example.org" },
    });
    expect(headers.get("access-control-allow-origin")).toBeNull();
    const server = await impatientServer({});
    const base = `http://127.0.0.1:${server.address.port}`;
    try {
      expect(await statusWith(base, "PUT", "/v1/kv/f", { origin: "https://admin.example.org" })).toBe(200);
      const { status, headers: allowed } = await call(base, "/v1/kv/f", {
        method: "OPTIONS",
        headers: { origin: "https://admin.example.org", "access-control-request-method": "PUT" },
      });
      expect(status).toBe(204);
      expect(allowed.get("access-control-allow-origin")).toBe("https://admin.example.org");
      expect(allowed.get("access-control-allow-methods")).toContain("PUT");
    } finally {
      await server.stop(0);
    }
  });
});
