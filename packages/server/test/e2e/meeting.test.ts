/** Two meshes with data on both that are brought together. */
import {
  eventually,
  Ledger,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

type Five = [ServerProcess, ServerProcess, ServerProcess, ServerProcess, ServerProcess];

describe("two meshes", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("become one when one is given an address of the other, and all is kept", async ({ stage }) => {
    const { servers } = await stage.mesh(5, {
      peersOf: (index) => [[1, 2], [0, 2], [0, 1], [4], [3]][index] ?? [],
    });
    const [a, b, c, d, e] = servers as Five;
    const ledger = new Ledger();
    for (const mesh of [
      [a, b, c],
      [d, e],
    ]) {
      for (const server of mesh) server.launch();
      await Promise.all(mesh.map((server) => server.ready()));
      for (const { name, client } of mesh) {
        for (let number = 0; number < 30; number += 1)
          await ledger.set(client, `${name}/${number}`, `by ${name}`);
        for (let number = 0; number < 10; number += 1) await ledger.delete(client, `${name}/${number}`);
      }
      expect(ledger.problems(await sameEverywhere(mesh)).filter((line) => !line.includes("nothing"))).toEqual(
        [],
      );
    }
    await e.stop();
    await e.start({ peers: [a.port] });
    await eventually("one mesh of five", async () => {
      const all = await Promise.all(servers.map(({ client }) => client.status()));
      expect(new Set(all.map(({ meshId }) => meshId)).size).toBe(1);
      expect(all[0]?.meshId).toBe((await a.client.status()).meshId);
      for (const { members } of all)
        expect(members.filter(({ state }) => state === 1 || state === 2)).toHaveLength(5);
    });
    expect(ledger.problems(await sameEverywhere(servers))).toEqual([]);
  });
});
