/** What calls answer, from a live server. */
import { eventually, type Stage, STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { connect, type MeshkvClient, type WatchEvent } from "../src/index.ts";

async function clientOf(stage: Stage): Promise<MeshkvClient> {
  const [server] = (await stage.mesh(1)).servers;
  await server?.start();
  const kv = await connect(server?.address ?? "", { timeout: "60s" });
  stage.atEnd(() => kv.close());
  return kv;
}

describe("answers", { timeout: STAGE_TEST_MS_MAX }, () => {
  stageTest("a session has seen a write that missed its concern", async ({ stage }) => {
    const session = (await clientOf(stage)).session();
    const options = { concern: 2, concernTimeout: "50ms" } as const;
    await expect(session.set("a", 1, options)).rejects.toMatchObject({ code: "CONCERN_NOT_MET" });
    expect(session.token).not.toBe("");
    expect((await session.get("a"))?.value).toBe(1);
  });

  stageTest("a delete of a prefix tells how many keys there were, and its version", async ({ stage }) => {
    const kv = await clientOf(stage);
    const { version } = await kv.set("s/1", 1);
    await kv.set("s/2", 2);
    await kv.set("t", 3);
    const deleted = await kv.deletePrefix("s/");
    expect(deleted.count).toBe(2);
    expect(deleted.version > version).toBe(true);
    expect((await kv.deletePrefix("", { all: true })).count).toBe(1);
  });

  stageTest("events tell what they replaced, and where to go on", async ({ stage }) => {
    const kv = await clientOf(stage);
    const events: WatchEvent<unknown>[] = [];
    const watch = kv.watch({ key: "k", initial: true, previous: true });
    stage.atEnd(() => watch.close());
    const reading = (async () => {
      for await (const event of watch) events.push(event);
    })();
    const told = (count: number): Promise<void> =>
      eventually(`${count} events`, () => expect(events).toHaveLength(count));
    await told(1);
    const one = await kv.set("k", 1);
    await told(2);
    const two = await kv.set("k", 2);
    await told(3);
    await kv.delete("k");
    await told(4);
    expect(events).toMatchObject([
      { type: "synced" },
      { type: "put", value: 1, version: one.version, previous: undefined },
      { type: "put", value: 2, previous: { value: 1, version: one.version } },
      { type: "delete", keyBytes: Uint8Array.of(107), previous: { value: 2, version: two.version } },
    ]);
    await watch.close();
    await reading;

    // What was told after an event is told again to whoever goes on from it.
    const resume = events[1]?.resume;
    expect(resume).toBeTypeOf("string");
    const again: unknown[] = [];
    for await (const event of kv.watch({ key: "k", resume })) {
      again.push(event.type === "put" ? event.value : event.type);
      if (event.type === "delete") break;
    }
    expect(again.at(-1)).toBe("delete");
    expect(again, "what was told up to there is not told again").not.toContain(1);
    expect(events.at(-1)?.resume).toBe(watch.resumeToken);
  });

  stageTest("a status tells of mesh, clock and positions", async ({ stage }) => {
    const kv = await clientOf(stage);
    const { version } = await kv.set("a", 1);
    const status = await kv.status();
    expect(status).toMatchObject({
      meshName: "default",
      state: "ready",
      clockOffsetMs: expect.any(Number),
      uptimeMs: expect.any(Number),
      meshId: expect.stringContaining(status.replicaId),
      positions: [{ origin: status.replicaId, version, time: expect.any(Date) }],
      members: [{ replicaId: status.replicaId, state: "self", holdsHorizon: expect.any(Boolean) }],
    });
  });
});
