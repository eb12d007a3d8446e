/** What a program that makes a call and ends asks for: the addresses in their order, each once, and nothing beforehand. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { eventually } from "@meshkv/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConnectOptions, connect, type MeshkvClient, MeshkvError } from "../src/index.ts";
import { ScriptedReplica } from "./scripted-replica.ts";

let first: ScriptedReplica;
let second: ScriptedReplica;
let retried: string[];
const clients: MeshkvClient[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  const [a, b] = await ScriptedReplica.mesh(2);
  if (a === undefined || b === undefined) throw new Error("no replicas");
  [first, second] = [a, b];
  retried = [];
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const replica of [first, second]) replica.stop();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A client that asks the first, and then the second. */
async function client(options: ConnectOptions = {}): Promise<MeshkvClient> {
  const kv = await connect([first.address, second.address], {
    discover: false,
    lazy: true,
    retries: false,
    timeout: "60s",
    onRetry: ({ message }, address) => retried.push(`${message} -> ${address}`),
    ...options,
  });
  clients.push(kv);
  return kv;
}

/** An address at which connections are taken, and nothing is ever said. */
async function silentAddress(): Promise<string> {
  const server = createServer((socket) => sockets.push(socket));
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0 }, resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const refused = new MeshkvError("UNAVAILABLE", "still starting");

describe("a lazy client", () => {
  it("is there before its mesh, whose calls say what is wrong until it comes", async () => {
    for (const replica of [first, second]) replica.stop();
    const kv = await client();
    const failure = kv.get("a");
    await expect(failure).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(failure).rejects.toThrow(
      /^no replica can serve this:\n {2}cannot reach .*nothing listens there.*\n {2}cannot reach /,
    );
    await second.start();
    await eventually("it is asked", async () => expect(await kv.get("a")).toBeUndefined());
    expect(second.gets).toBe(1);
  });

  it("takes one signal for many calls that wait for the connection, without a warning", async () => {
    const warnings: string[] = [];
    const onWarning = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", onWarning);
    const kv = await client();
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, (_, index) => kv.get(`key-${index}`, { signal })));
    // Warnings are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    expect(first.gets).toBe(30);
  });

  it("takes calls elsewhere that wait for a replica that turns out to be no member", async () => {
    const address = await silentAddress();
    const kv = await connect([address, first.address], { lazy: true, timeout: "1h" });
    clients.push(kv);
    const calls = Array.from({ length: 30 }, (_, index) => kv.get(`key-${index}`));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([undefined]));
    await eventually("it is dropped", () => {
      expect(kv.replicas.map((replica) => replica.address)).not.toContain(address);
    });
  });

  it("ends all calls that wait for a connection when it is closed", async () => {
    const kv = await connect(await silentAddress(), { lazy: true, timeout: "1h" });
    const calls = Promise.allSettled(Array.from({ length: 5 }, (_, index) => kv.get(`key-${index}`)));
    await kv.close();
    const reason: unknown = expect.objectContaining({ code: "CANCELLED", message: "the client is closed" });
    expect(await calls).toEqual(Array.from({ length: 5 }, () => ({ status: "rejected", reason })));
  });

  it("finds the members, too, when it is to", async () => {
    for (const replica of [first, second]) replica.stop();
    const kv = await client({ discover: true, retries: true });
    const pending = kv.get("a");
    await first.start();
    await expect(pending).resolves.toBeUndefined();
  });
});

describe("addresses in their order", () => {
  it("are asked from the first on, and the one that has served goes on serving", async () => {
    const kv = await client();
    const answers: string[] = [];
    const onAnswer = (address: string): void => void answers.push(address);
    await kv.get("a", { onAnswer });
    first.script = [refused, "answer"];
    await kv.set("a", 1, { onAnswer });
    await kv.set("a", 2, { onAnswer });
    await kv.get("a", { onAnswer });
    expect(answers).toEqual([first.address, second.address, second.address, second.address]);
    expect(retried).toEqual([`still starting -> ${second.address}`]);
    expect([first.sets.length, second.sets.length]).toEqual([1, 2]);
  });

  it("are as good as one another once the first has not been there", async () => {
    first.stop();
    const kv = await client({ lazy: false });
    expect(await kv.get("a")).toBeUndefined();
    await first.start();
    await eventually("both are well", () => {
      expect(kv.replicas.map(({ isWell }) => isWell)).toEqual([true, true]);
    });
    await kv.get("a");
    expect([first.gets, second.gets]).toEqual([0, 2]);
  });

  it("are no reason to lose an answer when a listener throws", async () => {
    const fail = (): never => {
      throw new Error("a listener's own");
    };
    const kv = await client({ onRetry: fail });
    first.script = [refused];
    await expect(kv.set("a", 1, { onAnswer: fail })).resolves.toMatchObject({ replicas: 1 });
  });
});

describe("without retries", () => {
  it("each replica is asked once, and the error tells of all", async () => {
    const kv = await client();
    first.script = [refused];
    second.script = [new MeshkvError("CLOCK_SKEW", "the clock is wrong")];
    await expect(kv.set("a", 1)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "no replica can serve this:\n  still starting\n  the clock is wrong",
    });
    expect([first.sets.length, second.sets.length]).toEqual([1, 1]);
  });

  it("a refusal of the only replica is told as it is", async () => {
    const kv = await connect(first.address, { discover: false, lazy: true, retries: false });
    clients.push(kv);
    first.script = [new MeshkvError("STORAGE_FULL", "the disk is full")];
    await expect(kv.set("a", 1)).rejects.toMatchObject({ code: "STORAGE_FULL", message: "the disk is full" });
    expect(first.sets).toHaveLength(1);
  });

  it("a write that broke off is in doubt, and asked nowhere else", async () => {
    const kv = await client();
    first.script = ["cut"];
    await expect(kv.set("a", 1)).rejects.toThrow(/it is not known whether the write was done$/);
    expect([first.sets.length, second.sets.length]).toEqual([1, 0]);
    expect(retried).toEqual([]);
  });

  it("a read that hangs leaves the next replica a share of the time", async () => {
    const kv = await client({ timeout: "8s" });
    first.hangsGets = true;
    await expect(kv.get("a")).resolves.toBeUndefined();
    expect([first.gets, second.gets]).toEqual([1, 1]);
    expect(retried).toHaveLength(1);
  });

  it("a write that hangs is waited for until its time is up", async () => {
    const kv = await client({ timeout: "2s" });
    first.script = ["hang"];
    await expect(kv.set("a", 1)).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringContaining("it is not known whether the write was done"),
    });
    expect(second.sets).toEqual([]);
  });
});
