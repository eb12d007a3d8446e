import { Agent, request } from "node:http";
import process from "node:process";
import { freePorts, eventually, stageTest } from "@meshkv/testing";
import { expect } from "vitest";
import { call } from "./http-server.ts";

/** Requests; a long run takes them and its seed from the environment. */
const REQUESTS = Number(process.env["MESHKV_FUZZ"] ?? 2000);
const SEED = Number(process.env["MESHKV_FUZZ_SEED"] ?? 1);
const AT_A_TIME = 16;
/** What a server that leaks nothing may grow by: caches, and memory that the engine gives back later. */
const GROWTH_BYTES_MAX = 256 * 1024 * 1024;
/** What the door answers by itself to any request. */
const BY_ITSELF = [400, 404, 405, 408, 413, 415, 422, 431, 204];

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly examples?: object }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly documented: readonly number[];
}

/** Numbers that the seed decides (mulberry32). */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % count;
  }
  of<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to choose from");
    return item;
  }
}

const TEXTS = [
  "a",
  "",
  "cart/1",
  "..",
  "%",
  "%zz",
  "%00",
  "%FF%FE",
  "%F0%9F%98%80",
  "__proto__",
  "constructor",
  "true",
  "0",
  "-1",
  "1e9",
  "99999999999999999999",
  "null",
  "*",
  '"x"',
  'W/"x"',
  "relaxed",
  "local",
  "1s",
  "1ms",
  "1w",
  "Z3JlZXRpbmc",
  "{}",
  "[]",
  "a".repeat(1025),
  "/".repeat(50),
  "?",
  "&&==",
  "0000c8f2b1a400010f3a5c7e9b1d2f48",
  "0f3a5c7e9b1d2f48",
];

const BODIES = [
  "",
  "null",
  "[]",
  "{}",
  "{",
  '{"writes":null}',
  '{"writes":[null]}',
  '{"writes":[{}]}',
  '{"__proto__":{"x":1}}',
  '{"writes":[{"op":"set","key":"a","value":"b","ttl":"1s"}]}',
  '{"keys":["a","b"]}',
  '{"keys":[1]}',
  '{"keys":[]}',
  '{"value":"x"}',
  '{"value":"x","encoding":"base64"}',
  '{"value":1}',
  '{"key":"a","version":"b"}',
  "\u0000\u0001",
  `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  '"\\ud800"',
  '{"peer":"127.0.0.1:1"}',
  "x".repeat(100_000),
];

const TYPES = [
  "application/json",
  "text/plain",
  "application/vnd.meshkv.entry+json",
  "application/octet-stream",
  "",
  "///",
  "a/b;c=",
  "application/json; charset=utf-8",
  "multipart/form-data",
];

/** Header values are bytes without line breaks; Node sends nothing else. */
function headerText(text: string): string {
  return decodeURIComponent(encodeURIComponent(text)).replaceAll(/[^\x20-\x7e]/g, "?");
}

function callOf(random: Random, template: string, method: string, operation: Operation): Call {
  let path = template;
  const query: string[] = [];
  const headers: Record<string, string> = {};
  for (const { name, in: place } of operation.parameters ?? []) {
    if (place === "path") path = path.replace(`{${name}}`, random.of(TEXTS).replaceAll(/[ "]/g, "_"));
    else if (random.below(3) > 0) continue;
    else if (place === "query") query.push(`${name}=${random.of(TEXTS).replaceAll(/[ "]/g, "_")}`);
    else headers[name] = headerText(random.of(TEXTS));
  }
  if (random.below(10) === 0) query.push(`${random.of(TEXTS).replaceAll(/[ "]/g, "_")}=1`);
  // A write that waits for replicas that do not exist should not wait for long.
  if (query.some((part) => part.startsWith("concern="))) query.push("timeout=20ms");
  const text = random.of(BODIES);
  const body = Buffer.from(text);
  if (body.length > 0 && random.below(4) === 0) body[random.below(body.length)] = random.below(256);
  if (random.below(3) > 0) headers["content-type"] = random.of(TYPES);
  const verb =
    random.below(20) === 0 ? random.of(["PATCH", "TRACE", "PROPFIND", "OPTIONS", "HEAD", "DELETE"]) : method;
  const target = query.length === 0 ? path : `${path}?${query.join("&")}`;
  const documented = Object.keys(operation.responses).map(Number);
  return { method: verb, path: target, headers, body: verb === "GET" ? Buffer.alloc(0) : body, documented };
}

function statusOf(port: number, agent: Agent, { method, path, headers, body }: Call): Promise<number> {
  return new Promise((resolve, reject) => {
    // Node leaves the length out where a method usually has no body, and sends the body all the same.
    const length = body.length === 0 ? {} : { "content-length": String(body.length) };
    const options = { port, host: "127.0.0.1", agent, method, path, headers: { ...headers, ...length } };
    const sent = request(options, (response) => {
      // A watch has no end.
      if (response.headers["content-type"] === "text/event-stream") sent.destroy();
      response.resume().on("error", () => undefined);
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

stageTest(
  "mutated requests meet documented answers, and leave the server as it was",
  { timeout: 60_000 + REQUESTS * 60 },
  async ({ stage }) => {
    const [port = 0, grpcPort = 0] = await freePorts(2);
    const server = stage.server({ name: "a", port: grpcPort, peers: [], args: ["--http", String(port)] });
    await server.start();
    const base = `http://127.0.0.1:${port}`;
    await eventually("HTTP serves", async () => expect((await call(base, "/readyz")).status).toBe(200));
    const { paths } = (await call(base, "/openapi.json")).json as {
      paths: Record<string, Record<string, Operation>>;
    };
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        path,
        method: method.toUpperCase(),
        operation,
      })),
    );
    const random = new Random(SEED);
    const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME });
    const seen = new Map<number, number>();
    let before = 0;
    let left = REQUESTS;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const { path, method, operation } = random.of(operations);
        const sent = callOf(random, path, method, operation);
        const status = await statusOf(port, agent, sent).catch((error: unknown) => {
          throw new Error(`seed ${SEED}: ${sent.method} ${sent.path}: ${String(error)}`, { cause: error });
        });
        const isKnown = sent.documented.includes(status) || BY_ITSELF.includes(status);
        if (!isKnown || status === 500)
          throw new Error(`seed ${SEED}: ${JSON.stringify(sent)} met ${status}`);
        seen.set(status, (seen.get(status) ?? 0) + 1);
        if (left === Math.floor(REQUESTS / 2)) before = server.memoryBytes();
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    agent.destroy();
    const statuses = [...seen].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status}`);
    const growth = server.memoryBytes() - before;
    process.stderr.write(
      `${REQUESTS} requests: ${statuses.join(", ")}; ${Math.round(growth / 2 ** 20)} MiB more\n`,
    );
    expect(seen.size).toBeGreaterThan(5);
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect((await call(base, "/readyz")).status).toBe(200);
    expect(server.log).not.toContain("failed unexpectedly");
    expect(await server.stop()).toBe(0);
  },
);
