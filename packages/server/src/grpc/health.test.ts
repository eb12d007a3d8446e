import { once } from "node:events";
import type { Client, ClientReadableStream } from "@grpc/grpc-js";
import {
  create,
  Health,
  type HealthCheckResponse,
  HealthCheckRequestSchema,
  methodCodec,
} from "@meshkv/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, testClient, toMeshkvError } from "../../test/grpc-client.ts";
import { HealthService } from "./health.ts";
import { type GrpcServer, serveGrpc } from "./serve-grpc.ts";

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const STOP_MS = 20_000;
const logger = { error: () => undefined, warn: () => undefined };

let health: HealthService;
let server: GrpcServer;
let client: Client;

beforeEach(async () => {
  health = new HealthService(["a.A", "b.B"]);
  server = await serveGrpc({ address: { host: "127.0.0.1", port: 0 }, services: [health.binding], logger });
  client = testClient(server.address);
});

afterEach(async () => {
  client.close();
  await server.stop(STOP_MS);
});

function watch(service: string): ClientReadableStream<HealthCheckResponse> {
  const { path, requestSerialize, responseDeserialize } = methodCodec(Health.method.watch);
  const request = create(HealthCheckRequestSchema, { service });
  return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
}

async function next(stream: ClientReadableStream<HealthCheckResponse>): Promise<number> {
  const [reply] = (await once(stream, "data")) as [HealthCheckResponse];
  return reply.status;
}

describe("health", () => {
  it("is told for each service and for the server", async () => {
    const check = async (service: string): Promise<number> =>
      (await call(client, Health.method.check, { service })).status;
    expect([await check(""), await check("a.A")]).toEqual([NOT_SERVING, NOT_SERVING]);
    health.set(true);
    expect([await check(""), await check("a.A"), await check("b.B")]).toEqual([SERVING, SERVING, SERVING]);
    health.set(false, "a.A");
    expect([await check(""), await check("a.A"), await check("b.B")]).toEqual([
      SERVING,
      NOT_SERVING,
      SERVING,
    ]);
    const { statuses } = await call(client, Health.method.list, {});
    expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
      ["", SERVING],
      ["a.A", NOT_SERVING],
      ["b.B", SERVING],
    ]);
  });

  it("of a service that is not known is not found", async () => {
    await expect(call(client, Health.method.check, { service: "c.C" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("can be watched, and a watch of the unknown waits", async () => {
    const [known, unknown] = [watch("a.A"), watch("c.C")];
    unknown.on("error", () => undefined);
    known.on("error", () => undefined);
    expect(await Promise.all([next(known), next(unknown)])).toEqual([NOT_SERVING, SERVICE_UNKNOWN]);
    const changed = next(known);
    health.set(true);
    expect(await changed).toBe(SERVING);
    const again = next(known);
    health.set(true);
    health.set(false, "a.A");
    expect(await again).toBe(NOT_SERVING);
    known.cancel();
    unknown.cancel();
  });

  it("watches end with the server", async () => {
    const stream = watch("");
    await next(stream);
    const failed = once(stream, "error").catch((error: unknown) => [error]);
    stream.resume();
    await server.stop(STOP_MS);
    const [error] = (await failed) as [Parameters<typeof toMeshkvError>[0]];
    expect(toMeshkvError(error)).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("stopping"),
    });
  });
});
