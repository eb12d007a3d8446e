/** What the original project's users do, as they type it: three servers that name each other, and the client's flags. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  eventually,
  freePorts,
  sameEverywhere,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

async function three(stage: Stage): Promise<ServerProcess[]> {
  const ports = await freePorts(3);
  return ports.map((port, index) => {
    const peers = ports.filter((other) => other !== port);
    return stage.server({ name: String.fromCharCode(97 + index), port, peers, args: ["-v"] });
  });
}

/** Waits until the servers are the three members of one mesh, all connected. */
async function expectOneMesh(servers: readonly ServerProcess[]): Promise<void> {
  await eventually("one mesh of all", async () => {
    const all = await Promise.all(servers.map(({ client }) => client.status()));
    expect(new Set(all.map(({ meshId }) => meshId)).size).toBe(1);
    const ids = all.map(({ replicaId }) => replicaId).sort();
    for (const { members, stateReason } of all) {
      expect(stateReason).toBe("");
      const current = members.filter(({ state }) => state === 1 || state === 2);
      expect(current.map(({ replicaId }) => replicaId).sort()).toEqual(ids);
    }
  });
}

/** The client's command line of the original, and what it must do. */
async function expectClientWorks(stage: Stage, servers: readonly ServerProcess[]): Promise<void> {
  const key = "3479d894-3271-4935-88cf-a06f3cbb80a5";
  const [first, ...others] = servers;
  const set = `${key}=this_is_a_value`;
  const run = await stage.run("client", "--ip", first?.address ?? "", "--set", set, "--list", "-v");
  expect(run.exitCode).toBe(0);
  expect(run.stdout).toContain(set);
  for (const { address } of others) {
    await eventually(`the key is listed at ${address}`, async () => {
      const list = await stage.run("client", "--list", "--ip", address);
      expect(list.stdout).toContain(set);
    });
  }
  const state = await sameEverywhere(servers);
  expect(state.get(key)).toBe("this_is_a_value");
}

describe("three servers by the original's command lines", { timeout: STAGE_TEST_MS_MAX }, () => {
  const orders = [
    [0, 1, 2],
    [2, 0, 1],
  ] as const;

  test("form one mesh when all start at once", async ({ stage }) => {
    const servers = await three(stage);
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    await expectOneMesh(servers);
    await expectClientWorks(stage, servers);
  });

  for (const order of orders) {
    test(`form one mesh when started in the order ${order.join(", ")}`, async ({ stage }) => {
      const servers = await three(stage);
      for (const index of order) {
        const server = servers[index] as ServerProcess;
        await server.start();
        // Writable at once, whoever is missing.
        await server.client.set(`early-${index}`, `by ${index}`);
      }
      await expectOneMesh(servers);
      const state = await sameEverywhere(servers);
      expect([...state]).toEqual([0, 1, 2].map((index) => [`early-${index}`, `by ${index}`]));
    });
  }

  test("form one mesh when each comes later than the others have given up waiting", async ({ stage }) => {
    const servers = await three(stage);
    for (const server of servers) {
      // Longer than the greatest pause between two attempts to dial.
      if (server !== servers[0]) await sleep(3500);
      await server.start();
    }
    await expectOneMesh(servers);
    await expectClientWorks(stage, servers);
  });
});

describe("the command line", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("reads, writes and deletes on any of three", async ({ stage }) => {
    const servers = await three(stage);
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    await expectOneMesh(servers);
    const [a, b, c] = servers.map(({ address }) => address) as [string, string, string];
    expect((await stage.run("set", "greeting", "hello", "--ip", a)).exitCode).toBe(0);
    await eventually("b has it", async () => {
      expect(await stage.run("get", "greeting", "--ip", b)).toMatchObject({ exitCode: 0, stdout: "hello" });
    });
    expect((await stage.run("del", "greeting", "--ip", b)).exitCode).toBe(0);
    await eventually("it is gone at c", async () => {
      expect((await stage.run("get", "greeting", "--ip", c)).exitCode).toBe(3);
    });
    expect((await stage.run("status", "--ip", c)).stdout).toContain("ready");
    const members = await stage.run("members", "--json", "--ip", a);
    const states = members.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).state as string);
    expect(states.filter((state) => state !== "STATE_REMOVED").sort()).toEqual([
      "STATE_CONNECTED",
      "STATE_CONNECTED",
      "STATE_SELF",
    ]);
  });
});
