/** A watch goes on over replicas that come and go. */
import { eventually, STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { connect } from "../src/index.ts";

const KEYS = 20;

describe("a watch", () => {
  stageTest(
    "misses nothing while its replicas are killed in turn",
    { timeout: STAGE_TEST_MS_MAX },
    async ({ stage }) => {
      const { servers } = await stage.mesh(2);
      for (const server of servers) server.launch();
      await Promise.all(servers.map((server) => server.ready()));
      const kv = await connect(
        servers.map(({ address }) => address),
        { timeout: "60s" },
      );
      stage.atEnd(() => kv.close());
      const counts = kv.prefix<number>("counts/");
      await counts.set("0", -1, { concern: 2 });

      const seen = new Map<string, number>();
      const versions = new Map<string, string>();
      const kinds = new Set<string>();
      const watch = counts.watch({ initial: true });
      const reading = (async () => {
        for await (const event of watch) {
          kinds.add(event.type);
          if (event.type !== "put") continue;
          expect(event.version > (versions.get(event.key) ?? "")).toBe(true);
          versions.set(event.key, event.version);
          seen.set(event.key, event.value);
        }
      })();
      await eventually("the current state has been told", () => {
        expect(kinds).toEqual(new Set(["put", "synced"]));
        expect(seen.get("0")).toBe(-1);
      });

      // What only one replica had, and has told, dies with it: the watch would wait for that one to come back.
      const write = async (round: number, concern: number): Promise<void> => {
        const keys = Array.from({ length: KEYS }, (_, key) => String(key));
        await Promise.all(keys.map((key) => counts.set(key, round, { concern })));
        await eventually(`round ${round} has been told`, () => {
          expect([...seen.values()]).toEqual(Array.from({ length: KEYS }, () => round));
        });
      };
      await write(1, 2);
      for (const [index, server] of servers.entries()) {
        await server.kill();
        await write(10 + index, 1);
        await server.start();
        await eventually("it is in use again", () => {
          expect(kv.replicas.filter(({ isWell }) => isWell)).toHaveLength(2);
        });
        await write(20 + index, 2);
      }

      // Another watch goes on where this one stood: what comes meanwhile is told, and nothing older.
      const token = watch.resumeToken;
      await watch.close();
      await reading;
      await counts.set("late", 99);
      for await (const event of counts.watch({ resume: token })) {
        if (event.type === "put" && event.key === "late") break;
        expect(event.type === "put" ? event.value : event.type).toBeOneOf([21, "synced"]);
      }
    },
  );
});
