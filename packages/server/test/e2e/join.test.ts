/** An empty replica that joins a mesh with many keys through one address, while writes go on. */
import {
  eventually,
  Ledger,
  sameDigest,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

const KEYS = 50_000;
const MIB = 1024 * 1024;
/** Caches, buffers and the garbage that the machine has no reason to collect yet; the data itself is 8 MiB. */
const GROWTH_BYTES_MAX = 160 * MIB;

describe("an empty replica", { timeout: STAGE_TEST_MS_MAX }, () => {
  test(`joins a mesh of ${KEYS} keys while writes go on`, async ({ stage }) => {
    const { servers } = await stage.mesh(4, { peersOf: (index) => [[], [0], [0, 1], [1]][index] ?? [] });
    const [a, b, c, joiner] = servers as [ServerProcess, ServerProcess, ServerProcess, ServerProcess];
    await a.start();
    const ledger = new Ledger();
    const pairs = Array.from(
      { length: KEYS },
      (_, number) => [`bulk/${number}`, `value ${number} `.repeat(10)] as const,
    );
    await a.client.setMany(pairs);
    for (const [key, value] of pairs) ledger.note(key, value);
    for (const server of [b, c]) server.launch();
    await sameDigest([a, b, c]);

    const sourceBefore = b.memoryBytes();
    const end = new AbortController();
    const writers = [a, c].map(({ name, client }) => ledger.writeUntil(end.signal, client, `live/${name}/`));
    joiner.launch();
    let memory = 0;
    let sourceMemory = 0;
    await eventually("the joiner has all keys", async () => {
      memory = Math.max(memory, joiner.memoryBytes());
      sourceMemory = Math.max(sourceMemory, b.memoryBytes());
      expect(Number((await joiner.client.status()).keys)).toBeGreaterThanOrEqual(KEYS);
    });
    end.abort();
    for (const errors of await Promise.all(writers)) expect(errors).toEqual([]);
    await sameDigest(servers);
    expect(ledger.problems(await joiner.client.list())).toEqual([]);
    expect(sourceMemory - sourceBefore).toBeLessThan(GROWTH_BYTES_MAX);
    expect(memory).toBeLessThan(sourceBefore + GROWTH_BYTES_MAX);
  });
});
