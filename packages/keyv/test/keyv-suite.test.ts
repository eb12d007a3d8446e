/** Keyv's own test suite, whole, against a live mesh of three replicas; and what it leaves out. */
import { connect, type MeshkvClient } from "@meshkv/client";
import { Stage } from "@meshkv/testing";
import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from "@keyv/test-suite";
import Keyv from "keyv";
import * as vitest from "vitest";
import type { TestFunction } from "vitest";
import { KeyvMeshkv, KeyvMeshkv6 } from "../src/index.ts";

const { afterAll, beforeAll, describe, expect, it } = vitest;
const START_MS_MAX = 180_000;

let stage: Stage;
let kv: MeshkvClient;

beforeAll(async () => {
  stage = await Stage.set();
  const { servers } = await stage.mesh(3);
  for (const server of servers) server.launch();
  await Promise.all(servers.map((server) => server.ready()));
  kv = await connect(
    servers.map(({ address }) => address),
    { timeout: "60s", connectTimeout: "60s" },
  );
}, START_MS_MAX);

afterAll(async () => {
  await kv.close();
  await stage.strike();
});

/**
 * The suite reads values back that it gave a second to live: on a machine that stands still for so long, that says nothing about
 * the store, and the test is asked again.
 */
const patient = {
  ...vitest,
  it: (name: string, test: TestFunction) => it(name, { retry: 3 }, test),
};

/** The suite takes what vitest exports as an object; each part sets the stage for its own tests only. */
describe.each([
  ["values and calls", keyvApiTests],
  ["kinds of values", keyvValueTests],
  ["namespaces", keyvNamespaceTest],
  ["iterator", keyvIteratorTests],
])("Keyv's test suite: %s", (_name, tests) => {
  tests(patient as unknown as Parameters<typeof tests>[0], Keyv, () => new KeyvMeshkv(kv) as never);
});

describe("a store for Keyv 5", () => {
  it("writes, reads, finds and deletes many", async () => {
    const keyv = new Keyv({ store: new KeyvMeshkv(kv), namespace: "many" });
    const entries = ["a", "b", "c"].map((key) => ({ key, value: { is: key } }));
    expect(await keyv.setMany(entries)).toEqual([true, true, true]);
    expect(await keyv.getMany(["a", "x", "c"])).toEqual([{ is: "a" }, undefined, { is: "c" }]);
    expect(await keyv.hasMany(["a", "x"])).toEqual([true, false]);
    expect(await keyv.deleteMany(["a", "x"])).toBe(true);
    expect(await keyv.hasMany(["a", "b", "c"])).toEqual([false, true, true]);
  });

  it("keeps to its prefix: nothing else is listed or cleared", async () => {
    await kv.set("outside", 1);
    const [one, other] = ["one/", "other/"].map(
      (prefix) => new Keyv({ store: new KeyvMeshkv(kv, { prefix }) }),
    );
    await one?.set("key", 1);
    await other?.set("key", 2);
    await one?.clear();
    expect([await one?.get("key"), await other?.get("key")]).toEqual([undefined, 2]);
    expect((await kv.get("outside"))?.value).toBe(1);
  });

  it("gives the server a deadline that a reader without Keyv sees", async () => {
    const keyv = new Keyv({ store: new KeyvMeshkv(kv), namespace: "ttl" });
    await keyv.set("short", 1, 60_000);
    await keyv.set("long", 1);
    const leftMs = Number((await kv.text.get("keyv/ttl:short"))?.expireTime) - Date.now();
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(61_000);
    expect((await kv.text.get("keyv/ttl:long"))?.expireTime).toBeUndefined();
  });

  it("may be made before its mesh is there", async () => {
    const [server] = (await stage.mesh(1)).servers;
    const early = new Keyv({ store: new KeyvMeshkv(server?.address ?? ""), throwOnErrors: true });
    early.on("error", () => undefined);
    const waiting = early.set("early", "bird");
    await server?.start();
    expect(await waiting.catch(() => "too long for this machine")).toBeOneOf([
      true,
      "too long for this machine",
    ]);
    await early.set("early", "again");
    expect(await early.get("early")).toBe("again");
    await early.disconnect();
  });

  it("connects by itself, and tells what is wrong when it cannot", async () => {
    const [address] = kv.replicas.map((replica) => replica.address);
    const own = new Keyv({ store: new KeyvMeshkv(address ?? "") });
    await own.set("own", "connection");
    expect(await own.get("own")).toBe("connection");
    await own.disconnect();
    const lost = new Keyv({ store: new KeyvMeshkv("no address"), throwOnErrors: true });
    lost.on("error", () => undefined);
    await expect(lost.get("a")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a store for Keyv 6", () => {
  it("keeps namespaces apart by itself", async () => {
    const [one, other] = ["one", "other"].map((namespace) =>
      Object.assign(new KeyvMeshkv6(kv), { namespace }),
    );
    await one?.set("key", "1");
    await other?.set("key", "2");
    expect(await one?.getMany(["key", "no"])).toEqual(["1", undefined]);
    const found: unknown[] = [];
    for await (const pair of other?.iterator() ?? []) found.push(pair);
    expect(found).toEqual([["key", "2"]]);
    await one?.clear();
    expect([await one?.has("key"), await other?.hasMany(["key"])]).toEqual([false, [true]]);
  });

  it("takes absolute deadlines", async () => {
    const store = Object.assign(new KeyvMeshkv6(kv), { namespace: "six" });
    const expires = Date.now() + 3_600_000;
    expect(
      await store.setMany([
        { key: "a", value: "1", expires },
        { key: "b", value: "2" },
      ]),
    ).toEqual([true, true]);
    const entry = await kv.text.get("keyv/six::a");
    expect(Math.abs(Number(entry?.expireTime) - expires)).toBeLessThan(60_000);
    await store.set("b", "3", Date.now() - 1);
    expect(await store.has("b")).toBe(false);
  });

  it("tells of each key whether it was deleted", async () => {
    const store = Object.assign(new KeyvMeshkv6(kv), { namespace: "deletes" });
    await store.set("a", "1");
    expect(await store.deleteMany(["a", "b"])).toEqual([true, false]);
    expect(await store.delete("a")).toBe(false);
  });

  it("refuses values that nobody serialised", async () => {
    await expect(new KeyvMeshkv6(kv).set("a", { value: 1 })).rejects.toThrow(/serialization/);
  });
});
