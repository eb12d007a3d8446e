/** Data directories that were copied: an old one that is put back, and a clone that runs beside its original. */
import { rename } from "node:fs/promises";
import {
  copyData,
  eventually,
  Ledger,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

async function write(ledger: Ledger, { name, client }: ServerProcess, what: string): Promise<void> {
  for (let number = 0; number < 15; number += 1) await ledger.set(client, `${name}/${what}/${number}`, what);
}

describe("a copied data directory", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("that is put back is detected, and nothing is dropped", async ({ stage }) => {
    const { servers, network } = await stage.mesh(3);
    const [a, b, c] = servers as [ServerProcess, ServerProcess, ServerProcess];
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    const ledger = new Ledger();
    await write(ledger, c, "early");
    await sameEverywhere(servers);
    await c.stop();
    const backup = `${c.data}-backup`;
    await copyData(c.data, backup);

    await c.start();
    const { replicaId } = await c.client.status();
    await write(ledger, c, "later");
    await write(ledger, a, "later");
    await sameEverywhere(servers);
    await c.stop();
    await rename(c.data, `${c.data}-lost`);
    await rename(backup, c.data);
    // The positions that it uses now are not those that the others know.
    network.isolate(c.port);
    await c.start();
    await write(ledger, c, "after");
    network.heal();
    await eventually("c has a new identity", async () => {
      expect((await c.client.status()).replicaId).not.toBe(replicaId);
    });
    expect(ledger.problems(await sameEverywhere([a, b, c]))).toEqual([]);
    expect(c.log).toContain("ROLLED_BACK");
  });

  test("that runs beside its original is detected, and the writes of both survive", async ({ stage }) => {
    const { servers, network } = await stage.mesh(4);
    const [a, b, c, clone] = servers as [ServerProcess, ServerProcess, ServerProcess, ServerProcess];
    for (const server of [a, b, c]) server.launch();
    await Promise.all([a, b, c].map((server) => server.ready()));
    const ledger = new Ledger();
    await write(ledger, c, "before");
    await sameEverywhere([a, b, c]);
    await c.stop();
    await copyData(c.data, clone.data);

    network.isolate(c.port);
    network.isolate(clone.port);
    await Promise.all([c.start(), clone.start()]);
    expect((await clone.client.status()).replicaId).toBe((await c.client.status()).replicaId);
    await Promise.all([write(ledger, c, "by the original"), write(ledger, clone, "by the clone")]);
    network.heal();
    await eventually("they are two", async () => {
      const ids = await Promise.all(servers.map(async ({ client }) => (await client.status()).replicaId));
      expect(new Set(ids).size).toBe(4);
    });
    expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
    expect(servers.map(({ log }) => log).join()).toMatch(/DUPLICATE_REPLICA|ROLLED_BACK/);
  });
});
