import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  create,
  KeyValue,
  Mesh,
  type MessageInitShape,
  methodCodec,
  type OperationSchema,
  PipelineRequestSchema,
  type PipelineResponse,
} from "@meshkv/protocol";
import { eventually } from "@meshkv/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/index.ts";
import { call as callGrpc, testClient } from "../grpc-client.ts";
import { call, type HttpTestServer, startHttpTestServer } from "./http-server.ts";

const DEPLOY = fileURLToPath(new URL("../../../../deploy/", import.meta.url));

let a: HttpTestServer;
let b: HttpTestServer;
beforeAll(async () => {
  a = await startHttpTestServer();
  b = await startHttpTestServer({ peers: [a.server.address] });
  await eventually("they have met", () => {
    expect(b.server.members().map(({ state }) => state)).toContain("connected");
  });
});
afterAll(async () => {
  await Promise.all([a.stop(), b.stop()]);
});

/** Samples by name and labels. */
async function samples({ base }: HttpTestServer): Promise<Map<string, number>> {
  const { status, headers, text } = await call(base, "/metrics");
  expect([status, headers.get("content-type")]).toEqual([200, expect.stringContaining("text/plain")]);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

describe("metrics", () => {
  it("count operations of both doors by kind and result", async () => {
    await call(b.base, "/v1/kv/a", { method: "PUT", body: "1" });
    await call(b.base, "/v1/kv/none");
    const result = parseAddress(b.server.address);
    if ("problem" in result) throw new Error(result.problem);
    const client = testClient(result.address);
    await callGrpc(client, Mesh.method.listMembers, {});
    await expect(callGrpc(client, Mesh.method.removeMember, { replicaId: "x" })).rejects.toThrow(
      "replica_id",
    );
    client.close();
    // A call is counted when its answer has gone out, which its caller may see a moment before.
    await eventually("they are counted", async () => {
      const found = await samples(b);
      const count = (door: string, operation: string, outcome: string) =>
        found.get(`meshkv_operations_total{door="${door}",operation="${operation}",result="${outcome}"}`);
      expect(count("http", "set", "OK")).toBe(1);
      expect(count("http", "get", "NOT_FOUND")).toBe(1);
      expect(count("grpc", "list-members", "OK")).toBe(1);
      expect(count("grpc", "remove-member", "INVALID_ARGUMENT")).toBe(1);
      expect(found.get('meshkv_operation_duration_seconds_count{door="http",operation="set"}')).toBe(1);
      expect(found.get("meshkv_commit_group_writes_sum")).toBeGreaterThan(0);
      expect(found.get('meshkv_link_bytes_total{direction="sent"}')).toBeGreaterThan(0);
      expect(found.get('meshkv_state{state="ready"}')).toBe(1);
    });
  });

  it("count the operations of a pipeline by kind and result, beside the stream itself", async () => {
    const result = parseAddress(b.server.address);
    if ("problem" in result) throw new Error(result.problem);
    const before = await samples(b);
    const client = testClient(result.address);
    const { path, requestSerialize, responseDeserialize } = methodCodec(KeyValue.method.pipeline);
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const key = new TextEncoder().encode("pipelined");
    const condition = { kind: { case: "ifAbsent" as const, value: true } };
    const operations: MessageInitShape<typeof OperationSchema>[] = [
      { id: 1, kind: { case: "set", value: { key } } },
      { id: 2, kind: { case: "set", value: { key, condition } } },
      { id: 3, kind: { case: "get", value: { key } } },
      { id: 4, kind: { case: "get", value: {} } },
      { id: 5, kind: { case: "delete", value: { target: { case: "key", value: key } } } },
      { id: 6, kind: { case: "list", value: {} } },
      { id: 7, kind: { case: "batch", value: {} } },
    ];
    stream.write(create(PipelineRequestSchema, { operations }));
    stream.end();
    let results = 0;
    for await (const reply of stream as AsyncIterable<PipelineResponse>) results += reply.results.length;
    client.close();
    expect(results).toBe(7);
    const after = await samples(b);
    const more = (operation: string, outcome: string): number => {
      const name = `meshkv_operations_total{door="grpc",operation="${operation}",result="${outcome}"}`;
      return (after.get(name) ?? 0) - (before.get(name) ?? 0);
    };
    expect(
      [
        ["set", "OK"],
        ["set", "CONDITION_FAILED"],
        ["get", "OK"],
        ["get", "INVALID_ARGUMENT"],
        ["delete", "OK"],
        ["list", "OK"],
        ["batch", "INVALID_ARGUMENT"],
        ["pipeline", "OK"],
      ].map(([operation = "", outcome = ""]) => more(operation, outcome)),
    ).toEqual(Array.from({ length: 8 }, () => 1));
    expect(after.has('meshkv_operation_duration_seconds_count{door="grpc",operation="pipeline"}')).toBe(true);
    expect(after.has('meshkv_operation_duration_seconds_count{door="grpc",operation="set"}')).toBe(false);
  });

  it("tell of other members and of what is in the tables", async () => {
    await call(b.base, "/v1/kv/gone", { method: "PUT", body: "1" });
    await call(b.base, "/v1/kv/gone", { method: "DELETE" });
    const member = `{member="${a.server.replicaId}"}`;
    await eventually("they are told", async () => {
      const found = await samples(b);
      expect(found.get(`meshkv_member_connected${member}`)).toBe(1);
      expect(found.get(`meshkv_member_lag_records${member}`)).toBeGreaterThanOrEqual(0);
      expect(found.get("meshkv_keys")).toBe(1);
      expect(found.get("meshkv_tombstones")).toBeGreaterThanOrEqual(0);
      expect(found.get("meshkv_conflicts")).toBe(0);
    });
  });

  it.each(["grafana-dashboard.json", "alerts.yaml"])("of %s all exist", async (file) => {
    await call(b.base, "/v1/kv/a");
    const text = await readFile(`${DEPLOY}${file}`, "utf8");
    const named = new Set(text.match(/\b(meshkv|process|nodejs)_[a-z0-9_]+/g));
    expect(named.size).toBeGreaterThan(5);
    const known = new Set([...(await samples(b)).keys()].map((sample) => sample.replace(/\{.*/, "")));
    expect([...named].filter((name) => !known.has(name))).toEqual([]);
  });
});
