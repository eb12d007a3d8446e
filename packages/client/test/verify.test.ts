/** Replicas compared through the client. */
import { sameEverywhere, STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { connect, type VerifyEvent } from "../src/index.ts";

describe("verify", () => {
  stageTest(
    "tells of every member, and of the one that is away",
    { timeout: STAGE_TEST_MS_MAX },
    async ({ stage }) => {
      const { servers } = await stage.mesh(2);
      for (const server of servers) server.launch();
      await Promise.all(servers.map((server) => server.ready()));
      const [a, b] = servers;
      if (a === undefined || b === undefined) throw new Error("no servers");
      const kv = await connect(a.address, { discover: false, timeout: "60s" });
      stage.atEnd(() => kv.close());
      await Promise.all(Array.from({ length: 50 }, (_, index) => kv.set(`key/${index}`, index)));
      await sameEverywhere(servers);

      const verify = async (peer?: string): Promise<VerifyEvent[]> => {
        const events: VerifyEvent[] = [];
        for await (const event of kv.verify({ peer })) if (event.type !== "progress") events.push(event);
        return events;
      };
      const events = await verify();
      expect(events.map(({ type, address }) => [type, address])).toEqual([
        ["check", a.address],
        ["check", b.address],
        ["result", b.address],
      ]);
      expect(events.slice(0, 2)).toMatchObject([
        { isSound: true, keys: 50 },
        { isSound: true, keys: 50 },
      ]);
      expect(events.at(-1)).toMatchObject({ outcome: "equal", comparedKeys: 50, differingKeys: 0 });
      expect(await verify(b.address)).toHaveLength(3);

      await expect(verify("127.0.0.1:1")).rejects.toMatchObject({ code: "MEMBER_NOT_FOUND" });
      const gone = kv.verify({ signal: AbortSignal.abort(new Error("enough")) })[Symbol.asyncIterator]();
      await expect(gone.next()).rejects.toMatchObject({ code: "CANCELLED" });
      await b.kill();
      expect((await verify()).at(-1)).toMatchObject({ type: "result", outcome: "unreachable" });
    },
  );
});
