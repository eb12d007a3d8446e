/** What is refused, by which name, and that the server goes on as if nothing had been asked. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create, DurationSchema, KeyValue, type MeshkvError, StatusResponse_State } from "@meshkv/protocol";
import {
  eventually,
  freePorts,
  offsetClock,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  type Stage,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";
import { dialPeer } from "../../src/grpc/dial-peer.ts";

const DIAL_MS = 20_000;
const MIB = 1024 * 1024;
const KEY = new TextEncoder().encode("key");

async function one(stage: Stage): Promise<ServerProcess> {
  const [port = 0] = await freePorts(1);
  const server = stage.server({ name: "a", port, peers: [] });
  await server.start();
  await server.client.set("before", "anything");
  return server;
}

async function expectUnharmed({ client }: ServerProcess): Promise<void> {
  expect(await client.get("before")).toBe("anything");
  await client.set("after", "all");
  expect(await client.list()).toEqual(
    new Map([
      ["after", "all"],
      ["before", "anything"],
    ]),
  );
}

/** The code with which a call fails. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "no error",
    (error: MeshkvError) => error.code,
  );
}

describe("a server", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("refuses bad calls by name", async ({ stage }) => {
    const server = await one(stage);
    const { client } = server;
    const { set, get, batch } = KeyValue.method;
    const value = KEY;
    const writes = (count: number, bytes: number) =>
      Array.from({ length: count }, (_, number) => ({
        kind: {
          case: "set" as const,
          value: { key: new TextEncoder().encode(`k${number}`), value: new Uint8Array(bytes) },
        },
      }));
    expect(await codeOf(client.call(set, { key: new Uint8Array(0), value }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(client.call(get, { key: new Uint8Array(0) }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(client.call(set, { key: new Uint8Array(1025).fill(97), value }))).toBe("TOO_LARGE");
    expect(await codeOf(client.call(set, { key: KEY, value: new Uint8Array(MIB + 1) }))).toBe("TOO_LARGE");
    expect(await codeOf(client.call(batch, { writes: writes(1001, 1) }))).toBe("TOO_LARGE");
    expect(await codeOf(client.call(batch, { writes: writes(5, MIB) }))).toBe("TOO_LARGE");
    // A condition that this server does not know arrives as one without content.
    expect(await codeOf(client.call(set, { key: KEY, value, condition: {} }))).toBe("INVALID_ARGUMENT");
    expect(
      await codeOf(
        client.call(set, { key: KEY, value, condition: { kind: { case: "ifPresent", value: true } } }),
      ),
    ).toBe("CONDITION_FAILED");
    expect(
      await codeOf(client.call(set, { key: KEY, value, ttl: create(DurationSchema, { seconds: 0n }) })),
    ).toBe("INVALID_ARGUMENT");
    expect(await codeOf(client.call(get, { key: KEY }, 0))).toBe("DEADLINE_EXCEEDED");
    const unmet = client.call(set, {
      key: new TextEncoder().encode("before"),
      value: new TextEncoder().encode("anything"),
      concern: {
        kind: { case: "replicas", value: 3 },
        timeout: create(DurationSchema, { nanos: 300_000_000 }),
      },
    });
    expect(await codeOf(unmet)).toBe("CONCERN_NOT_MET");
    expect(await codeOf(client.removeMember("0123456789abcdef"))).toBe("MEMBER_NOT_FOUND");
    await expectUnharmed(server);
  });

  test("that cannot start says why, and harms no other", async ({ stage }) => {
    const server = await one(stage);
    const [free = 0] = await freePorts(1);
    const other = `127.0.0.1:${free}`;
    const old = join(stage.folder, "from-the-future");
    const refusals = [
      [["server", "--no-such-flag"], 2, /no-such-flag/],
      [["server", "--ip", "nonsense"], 2, /nonsense/],
      [["server", "--ip", "127.0.0.1:70000"], 2, /70000/],
      [["server", "--ip", "0.0.0.0:4000"], 2, /insecure/],
      [["server", "--ip", other, "no address"], 2, /no address/],
      [["server", "--ip", other, "--value-max", "65MiB"], 2, /value-max/],
      [["server", "--ip", server.address, "--data", "elsewhere"], 1, /in use/],
      [["server", "--ip", other, "--data", server.data], 1, /in use/],
      [["server", "--ip", other, "--data", old], 1, /format 99/],
      [["get", "before", "--ip", other], 5, /cannot reach/],
      [["get", "nothing", "--ip", server.address], 3, /nothing/],
      [["set", "--ip", server.address, "", "x"], 2, /key/],
      [["set", "--ip", server.address, "k".repeat(1025), "x"], 2, /1,?024/],
    ] as const;
    const probe = stage.server({ name: "from-the-future", port: free, peers: [] });
    await probe.start();
    await probe.stop();
    await writeFile(join(old, "FORMAT"), "meshkv storage 99\n");
    for (const [args, exitCode, text] of refusals) {
      const run = await stage.run(...args);
      expect({ args, exitCode: run.exitCode, stderr: run.stderr }).toEqual({
        args,
        exitCode,
        stderr: expect.stringMatching(text),
      });
      expect(run.stderr, "no trace of the program's inside").not.toMatch(/^ +at /m);
    }
    await expectUnharmed(server);
  });

  test("of another mesh stays apart, and says so", async ({ stage }) => {
    const [first = 0, second = 0] = await freePorts(2);
    const a = stage.server({ name: "a", port: first, peers: [second] });
    const b = stage.server({ name: "b", port: second, peers: [first], args: ["--mesh", "other"] });
    await Promise.all([a.start(), b.start()]);
    await a.client.set("of", "default");
    await b.client.set("of", "other");
    await Promise.all([a, b].map((server) => server.logged(/WRONG_MESH/)));
    expect(await a.client.list()).toEqual(new Map([["of", "default"]]));
    expect(await b.client.list()).toEqual(new Map([["of", "other"]]));
    expect((await a.client.status()).members).toHaveLength(1);
  });
});

describe("a peer", { timeout: STAGE_TEST_MS_MAX }, () => {
  /** What a server says to one that begins with these bytes. */
  async function answerTo({ port }: ServerProcess, greeting: Uint8Array): Promise<MeshkvError | undefined> {
    const stream = await dialPeer(`127.0.0.1:${port}`, DIAL_MS, AbortSignal.timeout(DIAL_MS));
    return new Promise((resolve) => {
      stream.start({ onFrame: () => undefined, onDrain: () => undefined, onClose: resolve });
      stream.send(greeting);
    });
  }

  test("of another protocol, or that sends no message at all, is told so, and the server goes on", async ({
    stage,
  }) => {
    const server = await one(stage);
    expect(await answerTo(server, Uint8Array.of(0, 1, 1, 7))).toMatchObject({
      code: "UNSUPPORTED_PROTOCOL",
      message: expect.stringContaining("the peer speaks protocols 1 to 1"),
    });
    await server.logged(/peer of another protocol/);
    expect(await answerTo(server, new TextEncoder().encode("GET / HTTP/1.1"))).toMatchObject({
      code: "INTERNAL",
    });
    await expectUnharmed(server);
  });
});

describe("a wrong clock", { timeout: STAGE_TEST_MS_MAX }, () => {
  async function three(
    stage: Stage,
    offsetMs: number,
  ): Promise<[ServerProcess, ServerProcess, ServerProcess]> {
    const ports = await freePorts(3);
    const servers = ports.map((port, index) =>
      stage.server({
        name: String.fromCharCode(97 + index),
        port,
        peers: ports.filter((other) => other !== port),
        args: ["-v"],
        ...(index === 2 ? { environment: offsetClock(offsetMs) } : {}),
      }),
    );
    return servers as [ServerProcess, ServerProcess, ServerProcess];
  }

  test("of two hours makes a server refuse writes, and drags nobody along", async ({ stage }) => {
    const [a, b, c] = await three(stage, 2 * 3_600_000);
    await Promise.all([a.start(), b.start()]);
    await a.client.set("before", "anything");
    await sameEverywhere([a, b]);
    c.launch();
    await eventually("c refuses to write", async () => {
      expect(await codeOf(c.client.set("from", "the future"))).toBe("CLOCK_SKEW");
    });
    expect((await c.client.status()).state).toBe(StatusResponse_State.CLOCK_SKEW);
    await c.logged(/CLOCK_SKEW/);
    await a.client.set("after", "all");
    await sameEverywhere([a, b]);

    // Once its clock is right it takes part: what it wrote before anybody could tell it is kept.
    await c.stop();
    await c.start({ environment: offsetClock(0) });
    await eventually("c is one of three", async () => {
      const state = await sameEverywhere([a, b, c]);
      expect(state.get("after")).toBe("all");
    });
  });

  test("of fifty seconds makes one of three refuse writes", async ({ stage }) => {
    const [a, b, c] = await three(stage, -55_000);
    for (const server of [a, b, c]) server.launch();
    await eventually("c refuses to write", async () => {
      expect(await codeOf(c.client.set("from", "the past"))).toBe("CLOCK_SKEW");
    });
    await a.client.set("a", "writes");
    await b.client.set("b", "writes");
    expect((await c.client.status()).state).toBe(StatusResponse_State.CLOCK_SKEW);
    await eventually("c still reads", async () => {
      expect(await c.client.get("a")).toBe("writes");
    });
  });
});
