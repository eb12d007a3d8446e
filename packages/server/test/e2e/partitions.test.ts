/** Networks in which not everybody reaches everybody: the mesh converges along what is left, or when it heals. */
import {
  eventually,
  Ledger,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  type TestMesh,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

type Five = [ServerProcess, ServerProcess, ServerProcess, ServerProcess, ServerProcess];

/** Cuts every pair that is not named. */
function keepOnly(
  { network }: TestMesh,
  servers: readonly ServerProcess[],
  kept: readonly (readonly ServerProcess[])[],
): void {
  network.heal();
  for (const one of servers) {
    for (const other of servers) {
      if (one.port < other.port && !kept.some((pair) => pair.includes(one) && pair.includes(other))) {
        network.cut(one.port, other.port);
      }
    }
  }
}

/** Every server writes, overwrites and deletes: its own keys, since each key has one writer at a time. */
async function writeEverywhere(
  ledger: Ledger,
  servers: readonly ServerProcess[],
  round: string,
): Promise<void> {
  await Promise.all(
    servers.map(async ({ name, client }) => {
      await ledger.set(client, `${name}/steady`, round);
      for (let number = 0; number < 5; number += 1)
        await ledger.set(client, `${name}/${round}/${number}`, round);
      await ledger.delete(client, `${name}/${round}/0`);
    }),
  );
}

describe("a chain", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("converges though its ends never meet", async ({ stage }) => {
    const mesh = await stage.mesh(3, { peersOf: (index) => (index === 0 ? [] : [index - 1]) });
    const [a, , c] = mesh.servers as [ServerProcess, ServerProcess, ServerProcess];
    mesh.network.cut(a.port, c.port);
    for (const server of mesh.servers) server.launch();
    await Promise.all(mesh.servers.map((server) => server.ready()));
    const ledger = new Ledger();
    for (const round of ["first", "second", "third"]) {
      await writeEverywhere(ledger, mesh.servers, round);
      expect(ledger.problems(await sameEverywhere(mesh.servers))).toEqual([]);
    }
    await eventually("a has tried to reach c, in vain", async () => {
      const { members } = await a.client.status();
      const end = members.find(({ address, state }) => address === c.address && state !== 5);
      expect(end?.state, "the ends never met").toBe(3);
    });
  });
});

describe("a mesh of five", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("converges over bridges and rings, and after every partition", async ({ stage }) => {
    const mesh = await stage.mesh(5);
    const servers = mesh.servers as Five;
    const [a, b, c, d, e] = servers;
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    const ledger = new Ledger();
    const expectSame = async (): Promise<void> =>
      expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
    await writeEverywhere(ledger, servers, "whole");
    await expectSame();

    keepOnly(mesh, servers, [
      [a, b, c],
      [c, d, e],
    ]);
    await writeEverywhere(ledger, servers, "bridge");
    await expectSame();

    keepOnly(mesh, servers, [
      [a, b],
      [b, c],
      [c, d],
      [d, e],
      [e, a],
    ]);
    await writeEverywhere(ledger, servers, "ring");
    await expectSame();

    keepOnly(mesh, servers, [
      [a, b],
      [c, d, e],
    ]);
    await writeEverywhere(ledger, servers, "halves");
    await sameEverywhere([a, b]);
    await sameEverywhere([c, d, e]);
    mesh.network.heal();
    await expectSame();

    mesh.network.mute(a.port, b.port);
    mesh.network.mute(c.port, a.port);
    mesh.network.mute(e.port, d.port);
    await writeEverywhere(ledger, servers, "one way");
    mesh.network.heal();
    await expectSame();

    keepOnly(mesh, servers, []);
    await writeEverywhere(ledger, servers, "alone");
    mesh.network.heal();
    for (const server of servers.slice(1)) mesh.network.proxy(a.port, server.port).slow(20);
    await expectSame();
  });
});
