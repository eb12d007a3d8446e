import { MeshkvError } from "@meshkv/core";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@meshkv/protocol";
import { eventually, freePorts, stageTest } from "@meshkv/testing";
import { expect, it } from "vitest";
import { ReadinessWatch } from "../../src/runtime/readiness.ts";
import { call as callGrpc, testClient } from "../grpc-client.ts";
import { call } from "./http-server.ts";

const ready = async (port: number) => (await call(`http://127.0.0.1:${port}`, "/readyz")).json;

stageTest("health tells the truth from the start to the end, on both doors", async ({ stage }) => {
  const [httpA = 0, httpB = 0] = await freePorts(2);
  const { servers } = await stage.mesh(2);
  const [a, b] = servers;
  if (a === undefined || b === undefined) throw new Error("two servers");
  a.launch({ args: ["--http", String(httpA)] });
  // Alive before it is ready, and never the other way round.
  await eventually("it is alive", async () => {
    expect((await call(`http://127.0.0.1:${httpA}`, "/healthz")).json).toEqual({ alive: true });
  });
  await eventually("it is ready", async () => {
    expect(await ready(httpA)).toEqual({ ready: true, state: "ready", reason: "" });
  });
  await b.start({ args: ["--http", String(httpB)] });
  await eventually("both are", async () => expect(await ready(httpB)).toMatchObject({ ready: true }));
  const client = testClient({ host: "127.0.0.1", port: b.port });
  await eventually("gRPC says the same", async () => {
    const { status } = await callGrpc(client, Health.method.check, { service: "" });
    expect(status).toBe(Status.SERVING);
  });
  client.close();
  expect(await b.stop()).toBe(0);
  await expect(ready(httpB)).rejects.toThrow("fetch failed");
});

it("every state but ready is told as not ready, at once and with its reason", () => {
  const told: boolean[] = [];
  let state: () => { state: string; stateReason: string } = () => {
    throw new MeshkvError("UNAVAILABLE", "starting");
  };
  const watch = new ReadinessWatch(
    () => state() as never,
    (isReady) => told.push(isReady),
  );
  try {
    watch.look();
    expect(watch.current()).toEqual({ ready: false, state: "starting", reason: "starting" });
    for (const name of [
      "ready",
      "rejoining",
      "ready",
      "storage-full",
      "ready",
      "clock-skew",
      "storage-failed",
    ]) {
      state = () => ({ state: name, stateReason: name === "ready" ? "" : `it is ${name}` });
      watch.look();
      expect(watch.current()).toMatchObject({ ready: name === "ready", state: name });
    }
    state = () => ({ state: "ready", stateReason: "" });
    watch.look();
    watch.stop();
    expect(watch.current()).toMatchObject({ ready: false, state: "stopping" });
    expect(told).toEqual([false, true, false, true, false, true, false, true, false]);
  } finally {
    watch.stop();
  }
});
