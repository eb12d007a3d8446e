import { once } from "node:events";
import { connect as connectHttp2, constants as http2Constants } from "node:http2";
import { connect, createServer } from "node:net";
import type { Client } from "@grpc/grpc-js";
import { type KeyText, MeshkvError } from "@meshkv/core";
import { create, GetRequestSchema, KeyValue, Mesh, methodCodec } from "@meshkv/protocol";
import { freePorts } from "@meshkv/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import { call, testClient, toMeshkvError } from "../../test/grpc-client.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { meshkvServices } from "./meshkv-services.ts";
import { type GrpcServer, serveGrpc } from "./serve-grpc.ts";

const LOCAL = { kind: "replicas", count: 1 } as const;
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const STOP_MS = 20_000;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const logged: object[] = [];
const logger = {
  error: (fields: object) => void logged.push(fields),
  warn: (fields: object) => void logged.push(fields),
};

let replica: FakeReplica;
let server: GrpcServer;
let client: Client;

async function serve(limits: Partial<GrpcLimits> = {}, port = 0): Promise<GrpcServer> {
  const { bindings } = meshkvServices({ replica, valueBytesMax: 1 << 20, defaultConcern: LOCAL });
  return serveGrpc({ address: { ...LOOPBACK, port }, services: bindings, logger, limits });
}

beforeEach(async () => {
  logged.length = 0;
  replica = new FakeReplica();
  server = await serve();
  client = testClient(server.address);
});

afterEach(async () => {
  client.close();
  await server.stop(STOP_MS);
});

/** Resolves when the replica is in a write, which ends when the signal of the call aborts. */
function hangingWrite(): { entered: Promise<void>; aborted: Promise<unknown> } {
  let enter = (): void => {};
  let abort = (_reason: unknown): void => {};
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const aborted = new Promise<unknown>((resolve) => (abort = resolve));
  replica.beforeWrite = ({ call: { signal } }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        abort(signal.reason);
        reject(signal.reason as Error);
      });
      enter();
    });
  return { entered, aborted };
}

describe("calls", () => {
  it("are answered", async () => {
    const key = Uint8Array.of(0, 255, 10);
    const { version } = await call(client, KeyValue.method.set, { key, value: bytesOf("v") });
    const { entry } = await call(client, KeyValue.method.get, { key });
    expect(entry).toMatchObject({ key, value: bytesOf("v"), version });
    const { entries } = await call(client, KeyValue.method.list, {});
    expect(entries).toEqual([entry]);
    const target = { case: "key", value: key } as const;
    expect(await call(client, KeyValue.method.delete, { target })).toMatchObject({ deleted: 1n });
    const batch = await call(client, KeyValue.method.batch, {
      writes: [{ kind: { case: "set", value: { key } } }],
    });
    expect(batch.versions).toHaveLength(1);
    expect((await call(client, Mesh.method.status, {})).replicaId).toBe(replica.replicaId);
    expect((await call(client, Mesh.method.listMembers, {})).members).toHaveLength(2);
    expect(
      await call(client, Mesh.method.removeMember, { replicaId: "00000000000000bb", force: true }),
    ).toBeDefined();
  });

  it("that fail carry code, text and details", async () => {
    await expect(call(client, KeyValue.method.get, {})).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "key: is empty: a key has 1 to 1024 bytes",
      metadata: { field: "key" },
    });
    const condition = { kind: { case: "ifPresent", value: true } } as const;
    await expect(call(client, KeyValue.method.set, { key: bytesOf("k"), condition })).rejects.toMatchObject({
      code: "CONDITION_FAILED",
      metadata: { index: "0" },
    });
  });

  it("that fail by a bug tell only the number of the log entry", async () => {
    replica.beforeWrite = () => {
      throw new TypeError("secret");
    };
    const error = await call(client, KeyValue.method.set, { key: bytesOf("k") }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "INTERNAL", metadata: { incident: expect.any(String) } });
    expect((error as MeshkvError).message).not.toContain("secret");
    expect(logged).toEqual([
      {
        err: expect.objectContaining({ message: "secret" }),
        path: "meshkv.v1.KeyValue/Set",
        incident: (error as MeshkvError).metadata["incident"],
      },
    ]);
  });

  it("with texts that no header can carry fail with those texts made fit", async () => {
    replica.beforeWrite = () => {
      throw new MeshkvError("UNAVAILABLE", "half of \ud83d and é\r\n");
    };
    const set = call(client, KeyValue.method.set, { key: bytesOf("k") });
    await expect(set).rejects.toMatchObject({ code: "UNAVAILABLE", message: "half of \ufffd and é\r\n" });
  });

  it("of methods that are not there are UNIMPLEMENTED", async () => {
    const path = "/meshkv.v1.KeyValue/Unknown";
    const failure = new Promise<unknown>((resolve) => {
      client.makeUnaryRequest(
        path,
        () => Buffer.alloc(0),
        () => 0,
        0,
        (error) => resolve(error?.code),
      );
    });
    expect(await failure).toBe(12);
    const stream = client.makeServerStreamRequest(
      path,
      () => Buffer.alloc(0),
      () => 0,
      0,
    );
    stream.resume();
    const [error] = (await once(stream, "error").catch((thrown: unknown) => [thrown])) as [{ code: number }];
    expect(error.code).toBe(12);
  });

  it.each([0, 2])("of a single call are exactly one, not %i", async (count) => {
    const { path, requestSerialize, responseDeserialize } = methodCodec(KeyValue.method.get);
    const failure = new Promise<MeshkvError | undefined>((resolve) => {
      const stream = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error) =>
        resolve(error === null ? undefined : toMeshkvError(error)),
      );
      for (let sent = 0; sent < count; sent += 1) {
        stream.write(create(GetRequestSchema, { key: bytesOf("k") }));
      }
      stream.end();
    });
    expect((await failure)?.message).toContain("does not serve this call");
    // The connection serves others.
    await call(client, KeyValue.method.get, { key: bytesOf("k") });
  });

  it("with bytes that are no request are the caller's fault", async () => {
    const { path, responseDeserialize } = methodCodec(KeyValue.method.get);
    const failure = new Promise<MeshkvError | undefined>((resolve) => {
      client.makeUnaryRequest(
        path,
        () => Buffer.from([0x0a, 0x7f]),
        responseDeserialize,
        0,
        (error) => resolve(error === null ? undefined : toMeshkvError(error)),
      );
    });
    expect(await failure).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("over a limit are refused by us, and far over it by the library, and others go on", async () => {
    const set = (bytes: number): Promise<unknown> =>
      call(client, KeyValue.method.set, { key: bytesOf("k"), value: new Uint8Array(bytes) });
    const tooLarge = await set((1 << 20) + 1).catch((thrown: unknown) => thrown);
    expect(tooLarge).toMatchObject({
      code: "TOO_LARGE",
      metadata: { field: "value", limit: String(1 << 20) },
    });
    await expect(set(8 << 20)).rejects.toMatchObject({ code: "TOO_LARGE" });
    await set(1 << 20);
  });
});

describe("deadlines and cancelling", () => {
  it("end the call when the deadline passes", async () => {
    hangingWrite();
    const set = call(client, KeyValue.method.set, { key: bytesOf("k") }, { deadline: Date.now() + 300 });
    await expect(set).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("tell the replica how long it may wait", async () => {
    await call(client, KeyValue.method.set, { key: bytesOf("k") }, { deadline: Date.now() + 60_000 });
    const waitMs = replica.commits[0]?.options.timeoutMs ?? 0;
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(54_000);
  });

  it("end the work when the caller cancels", async () => {
    const { entered, aborted } = hangingWrite();
    const controller = new AbortController();
    const set = call(client, KeyValue.method.set, { key: bytesOf("k") }, { signal: controller.signal });
    const outcome = set.catch((error: unknown) => error);
    await entered;
    controller.abort();
    expect(await outcome).toMatchObject({ code: "CANCELLED" });
    expect(await aborted).toMatchObject({ code: "CANCELLED" });
  });

  it("end the work when the connection is lost", async () => {
    const { entered, aborted } = hangingWrite();
    const set = call(client, KeyValue.method.set, { key: bytesOf("k") }).catch((thrown: unknown) => thrown);
    await entered;
    client.close();
    await server.stop(0);
    expect(await aborted).toMatchObject({ code: "CANCELLED" });
    await set;
  });

  it("do not touch the signal of a call that was answered", async () => {
    let signal: AbortSignal | undefined;
    replica.beforeWrite = (options) => {
      signal = options.call.signal;
    };
    await call(client, KeyValue.method.set, { key: bytesOf("k") });
    await call(client, KeyValue.method.get, { key: bytesOf("k") });
    expect(signal?.aborted).toBe(false);
  });
});

describe("the server", () => {
  it("names an address that is in use", async () => {
    const { port } = server.address;
    const second = serveGrpc({ address: { host: "127.0.0.1", port }, services: [], logger });
    await expect(second).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: expect.stringContaining(`127.0.0.1:${port} is in use`),
      metadata: { address: `127.0.0.1:${port}` },
    });
  });

  it("refuses an address that is not this machine's", async () => {
    const elsewhere = serveGrpc({ address: { host: "192.0.2.1", port: 0 }, services: [], logger });
    await expect(elsewhere).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("lets calls finish when it stops, and takes no more", async () => {
    let finish = (): void => {};
    const entered = new Promise<void>((resolve) => {
      replica.beforeWrite = () => {
        resolve();
        return new Promise((done) => (finish = done));
      };
    });
    const set = call(client, KeyValue.method.set, { key: bytesOf("k") });
    await entered;
    const stopped = server.stop(STOP_MS);
    const late = testClient(server.address);
    await expect(call(late, KeyValue.method.get, { key: bytesOf("k") })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    late.close();
    finish();
    expect(await set).toMatchObject({ replicas: 1 });
    await stopped;
    expect(replica.get("k" as KeyText)).toBeDefined();
  });

  it("cuts what does not end in time", async () => {
    const [port = 0] = await freePorts(1);
    const cut = await serve({}, port);
    const caller = testClient(cut.address);
    const { entered, aborted } = hangingWrite();
    const set = call(caller, KeyValue.method.set, { key: bytesOf("k") });
    const outcome = set.catch((error: unknown) => error);
    await entered;
    await cut.stop(0);
    expect(await outcome).toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|CANCELLED|INTERNAL/) });
    expect(await aborted).toMatchObject({ code: "CANCELLED" });
    caller.close();
    // The port is free again.
    const again = createServer().listen(cut.address);
    await once(again, "listening");
    await new Promise((resolve) => again.close(resolve));
  });

  it("refuses connections beyond its limit, and says so once", async () => {
    const small = await serve({ connectionsMax: 1 });
    const first = connect(small.address);
    await once(first, "connect");
    await Promise.all(
      [1, 2, 3].map(async () => {
        const refused = connect(small.address);
        refused.on("error", () => undefined);
        await once(refused, "close");
      }),
    );
    first.destroy();
    await small.stop(STOP_MS);
    expect(logged).toEqual([{ refused: 1, connectionsMax: 1 }]);
  });

  it("closes a connection that does not speak HTTP/2 in time", async () => {
    const strict = await serve({ helloMs: 1 });
    const silent = connect(strict.address);
    silent.on("error", () => undefined).resume();
    await once(silent, "close");
    await strict.stop(STOP_MS);
  });

  it("survives strangers", async () => {
    const stranger = connect(server.address);
    stranger.on("error", () => undefined).resume();
    stranger.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(stranger, "close");
    expect(await call(client, KeyValue.method.get, { key: bytesOf("k") })).toBeDefined();
  });

  it("refuses calls of a connection that reads no answers, and serves the others", async () => {
    const small = await serve({ unreadMibMax: 2 });
    replica.put({ key: "k" as KeyText, value: new Uint8Array(1 << 20), expiresAtMs: 0 });
    const codec = methodCodec(KeyValue.method.get);
    const request = codec.requestSerialize(create(GetRequestSchema, { key: bytesOf("k") }));
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
    const session = connectHttp2(`http://127.0.0.1:${small.address.port}`, {
      settings: { initialWindowSize: 0 },
    });
    session.on("error", () => undefined);
    const refused = await new Promise<number | undefined>((resolve) => {
      const ask = (): void => {
        const headers = {
          ":method": "POST",
          ":path": codec.path,
          "content-type": "application/grpc",
          te: "trailers",
        };
        const stream = session.request(headers);
        stream.on("error", () => resolve(stream.rstCode));
        // The next call only when this one has been answered as far as headers: one answer more lies unread.
        stream.once("response", ask);
        stream.end(frame);
      };
      ask();
    });
    expect(refused).toBe(http2Constants.NGHTTP2_ENHANCE_YOUR_CALM);
    const other = testClient(small.address);
    expect((await call(other, KeyValue.method.get, { key: bytesOf("k") })).entry?.value).toHaveLength(
      1 << 20,
    );
    other.close();
    session.destroy();
    await small.stop(STOP_MS);
  });
});
