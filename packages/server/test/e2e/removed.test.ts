/** A replica that was removed while it was away, and comes back when the others have forgotten what it missed. */
import { timestampMs } from "@meshkv/protocol";
import {
  eventually,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

/** Waits until a server has forgotten what was before the moment. */
async function forgotten({ name, client }: ServerProcess, beforeMs: number): Promise<void> {
  await eventually(`the horizon of ${name} has passed`, async () => {
    const { horizonTime } = await client.status();
    expect(horizonTime === undefined ? 0 : timestampMs(horizonTime)).toBeGreaterThan(beforeMs);
  });
}

describe("a replica that was removed while it was away", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("comes back by itself with its unsent writes, and deletes stay deleted", async ({ stage }) => {
    const { servers, network } = await stage.mesh(3);
    const [a, b, c] = servers as [ServerProcess, ServerProcess, ServerProcess];
    for (const server of servers) server.launch();
    await Promise.all(servers.map((server) => server.ready()));
    for (let number = 0; number < 20; number += 1) {
      await a.client.set(`shared/${number}`, "old");
      await c.client.set(`of-c/${number}`, "old");
    }
    await sameEverywhere(servers);
    const { replicaId } = await c.client.status();

    network.isolate(c.port);
    for (let number = 0; number < 20; number += 1) await c.client.set(`unsent/${number}`, "by c alone");
    await c.client.set("of-c/0", "changed by c alone");
    await c.client.delete("of-c/1");
    await c.kill();

    for (let number = 0; number < 10; number += 1) await a.client.delete(`shared/${number}`);
    await b.client.delete("of-c/2");
    const deletedMs = Date.now();
    const removal = await stage.run("members", "remove", replicaId, "--ip", a.address);
    expect(removal).toMatchObject({ exitCode: 0, stderr: "" });
    await forgotten(a, deletedMs);
    await forgotten(b, deletedMs);

    await c.start();
    network.heal();
    await eventually("c is a member again, under another name", async () => {
      const current = await c.client.status();
      const { members } = await a.client.status();
      expect(members.filter(({ state }) => state === 1 || state === 2)).toHaveLength(3);
      expect(members.find((member) => member.replicaId === replicaId)?.successor).toBe(current.replicaId);
    });
    const state = await sameEverywhere(servers);
    for (let number = 0; number < 20; number += 1) expect(state.get(`unsent/${number}`)).toBe("by c alone");
    expect(state.get("of-c/0")).toBe("changed by c alone");
    expect(state.has("of-c/1")).toBe(false);
    expect(state.has("of-c/2")).toBe(false);
    for (let number = 0; number < 20; number += 1) expect(state.has(`shared/${number}`)).toBe(number >= 10);
  });
});
