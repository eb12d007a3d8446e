/** Servers that are stopped in order, one or all, while clients write. */
import {
  eventually,
  Ledger,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

describe("an orderly stop", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("under load ends with 0 and keeps every acknowledged write", async ({ stage }) => {
    const { servers } = await stage.mesh(1);
    const [a] = servers as [ServerProcess];
    await a.start();
    const ledger = new Ledger();
    const end = new AbortController();
    const writers = [1, 2, 3, 4, 5, 6].map((number) => ledger.writeUntil(end.signal, a.client, `${number}/`));
    for (let round = 0; round < 2; round += 1) {
      const before = ledger.acknowledged;
      await eventually("writes go on", () => expect(ledger.acknowledged).toBeGreaterThan(before + 200));
      expect(await a.stop()).toBe(0);
      await a.start();
    }
    end.abort();
    await Promise.all(writers);
    expect(ledger.problems(await a.client.list())).toEqual([]);
  });

  test("of one after the other disturbs nobody who writes to the others", async ({ stage }) => {
    const { servers } = await stage.mesh(3);
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    await sameEverywhere(servers);
    const ledger = new Ledger();
    for (const server of servers) {
      const end = new AbortController();
      const others = servers.filter((other) => other !== server);
      const before = ledger.acknowledged;
      const writers = others.map(({ name, client }) =>
        ledger.writeUntil(end.signal, client, `${name}/${server.name}/`),
      );
      await eventually("writes go on", () => expect(ledger.acknowledged).toBeGreaterThan(before + 50));
      expect(await server.stop()).toBe(0);
      await server.start();
      await sameEverywhere([server]);
      end.abort();
      for (const errors of await Promise.all(writers)) expect(errors).toEqual([]);
    }
    expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
    expect(ledger.uncertain).toBe(0);
  });
});
