/** Processes that are killed, and machines that lose power: what was acknowledged is there, what was deleted is gone. */
import {
  copyData,
  cutPower,
  eventually,
  grown,
  Ledger,
  newestLog,
  sameEverywhere,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  type TestMesh,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

async function three(
  stage: Stage,
): Promise<{ mesh: TestMesh; servers: [ServerProcess, ServerProcess, ServerProcess] }> {
  const mesh = await stage.mesh(3);
  for (const server of mesh.servers) server.launch();
  await Promise.all(mesh.servers.map((server) => server.ready()));
  return { mesh, servers: mesh.servers as [ServerProcess, ServerProcess, ServerProcess] };
}

/** Keys that exist everywhere before anything goes wrong. */
async function prepare(ledger: Ledger, servers: readonly ServerProcess[]): Promise<void> {
  for (const { name, client } of servers) {
    for (let number = 0; number < 40; number += 1)
      await ledger.set(client, `${name}/${number}`, `first by ${name}`);
  }
  expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
}

async function changeSome(ledger: Ledger, server: ServerProcess, prefixes: readonly string[]): Promise<void> {
  for (const prefix of prefixes) {
    for (let number = 0; number < 10; number += 1) await ledger.delete(server.client, `${prefix}/${number}`);
    for (let number = 10; number < 20; number += 1) {
      await ledger.set(server.client, `${prefix}/${number}`, `second by ${server.name}`);
    }
    for (let number = 100; number < 110; number += 1) {
      await ledger.set(server.client, `${prefix}/${number}`, `new by ${server.name}`);
    }
  }
}

describe("a server that is killed", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("comes back with everything, and no deleted key returns", async ({ stage }) => {
    const { mesh, servers } = await three(stage);
    const [a, b, c] = servers;
    const ledger = new Ledger();
    await prepare(ledger, servers);

    // It writes while it is cut off, and dies.
    mesh.network.isolate(c.port);
    await changeSome(ledger, c, ["c"]);
    await c.kill();
    await changeSome(ledger, a, ["a"]);
    await changeSome(ledger, b, ["b"]);
    await sameEverywhere([a, b]);

    await c.start();
    mesh.network.heal();
    expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
    expect(ledger.uncertain).toBe(0);
  });

  test("loses nothing however often it dies under load", async ({ stage }) => {
    const { servers } = await three(stage);
    const [a, b, c] = servers;
    const ledger = new Ledger();
    const end = new AbortController();
    const writers = [a, b, c].flatMap(({ name, client }) => [
      ledger.writeUntil(end.signal, client, `${name}/one/`),
      ledger.writeUntil(end.signal, client, `${name}/two/`),
    ]);
    for (let round = 0; round < 4; round += 1) {
      const before = ledger.acknowledged;
      await eventually("writes go on", () => expect(ledger.acknowledged).toBeGreaterThan(before + 150));
      await c.kill();
      await c.start();
    }
    end.abort();
    await Promise.all(writers);
    expect(ledger.acknowledged).toBeGreaterThan(600);
    expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
  });
});

describe("a power cut", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("takes nothing that was acknowledged", async ({ stage }) => {
    const { mesh, servers } = await three(stage);
    const [a, b, c] = servers;
    const ledger = new Ledger();
    await prepare(ledger, servers);
    let lost = 0;
    for (let round = 0; round < 3; round += 1) {
      // Cut off, so that nobody else was told of what is lost.
      mesh.network.isolate(c.port);
      await changeSome(ledger, c, ["c", `round-${round}`]);
      // What is behind the mark counts as acknowledged to nobody.
      const mark = await newestLog(c.data);
      const inFlight = [1, 2, 3, 4].map((number) =>
        ledger.maybeSet(c.client, `late/${round}/${number}`, "x".repeat(20_000)),
      );
      // Stopped amid writing, or right after.
      await grown(c.data, mark);
      c.signal("SIGSTOP");
      const copy = `${c.data}-after-${round}`;
      await copyData(c.data, copy);
      lost += await cutPower(copy, mark);
      await c.kill();
      await Promise.all(inFlight);
      await changeSome(ledger, a, ["a"]);
      await changeSome(ledger, b, ["b"]);

      c.data = copy;
      await c.start();
      mesh.network.heal();
      expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
    }
    expect(lost, "no cut hit anything").toBeGreaterThan(0);
  });
});
