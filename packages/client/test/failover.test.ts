/** Replicas come and go under a client that is in use. */
import { eventually, STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { connect, MeshkvError } from "../src/index.ts";
import { Callers, isDoubt } from "./callers.ts";

/** Callers write more of this before and after something happens, so that it happens in the midst of them. */
const CALLS_BETWEEN = 600;
/** Not a promise about speed, but a sign that calls were left hanging. */
const GAP_MS_MAX = 15_000;

describe("a mesh that changes under 64 callers", () => {
  stageTest(
    "fails no call that did not have to, and keeps sessions",
    { timeout: STAGE_TEST_MS_MAX },
    async ({ stage }) => {
      const { servers } = await stage.mesh(4);
      const [a, b, c, d] = servers;
      if (a === undefined || b === undefined || c === undefined || d === undefined)
        throw new Error("no servers");
      const first = [a, b, c];
      const ports = first.map(({ port }) => port);
      for (const server of first) server.launch({ peers: ports.filter((port) => port !== server.port) });
      await Promise.all(first.map((server) => server.ready()));

      const news: string[] = [];
      const kv = await connect(a.address, {
        timeout: "60s",
        onEvent: ({ kind, address }) => news.push(`${kind} ${address}`),
      });
      stage.atEnd(() => kv.close());
      await eventually("all three are in use", () => {
        expect(kv.replicas.filter(({ isWell }) => isWell)).toHaveLength(3);
      });
      const callers = new Callers(kv);
      for (let index = 0; index < 28; index += 1) callers.addPlain(`plain-${index}`);
      for (let index = 0; index < 28; index += 1) callers.addSession(`session-${index}`);
      for (let index = 0; index < 8; index += 1) callers.addCounter(`counter-${index}`);
      const more = async (what: string): Promise<void> => {
        const enough = callers.count + CALLS_BETWEEN;
        await eventually(what, () => expect(callers.count).toBeGreaterThan(enough));
      };
      await more("callers run");

      const { replicaId } = await a.client.status();
      const killedAtMs = performance.now();
      await a.kill();
      await more("callers run without a");
      expect(kv.replicas.find(({ address }) => address === a.address)?.isWell).toBe(false);

      await kv.removeMember(replicaId, { force: true });
      await d.start({ peers: [b.port] });
      await eventually("the client has left a and found d", () => {
        const well = kv.replicas.filter(({ isWell }) => isWell).map(({ address }) => address);
        expect(new Set(well)).toEqual(new Set([b, c, d].map(({ address }) => address)));
        expect(kv.replicas.some(({ address }) => address === a.address)).toBe(false);
      });
      await more("callers run with d");
      await callers.stop();

      const counters = callers.failures.filter(({ caller }) => caller.startsWith("counter"));
      const others = callers.failures.filter(({ caller }) => !caller.startsWith("counter"));
      expect(others).toEqual([]);
      expect(callers.broken).toEqual([]);
      // After a doubt a counter may find that its write was done after all, on a replica that it did not hear of.
      const isExpected = (error: unknown): boolean =>
        isDoubt(error) || (error instanceof MeshkvError && error.code === "CONDITION_FAILED");
      expect(counters.filter(({ error }) => !isExpected(error))).toEqual([]);
      expect(counters.length).toBeLessThanOrEqual(3 * 8);
      expect(callers.longestGapSince(killedAtMs)).toBeLessThan(GAP_MS_MAX);
      expect(news).toEqual(
        expect.arrayContaining([`down ${a.address}`, `left ${a.address}`, `joined ${d.address}`]),
      );
    },
  );

  stageTest(
    "leaves a replica that has stopped answering, and comes back",
    { timeout: STAGE_TEST_MS_MAX },
    async ({ stage }) => {
      const { servers } = await stage.mesh(2);
      for (const server of servers) server.launch();
      await Promise.all(servers.map((server) => server.ready()));
      const [a, b] = servers;
      if (a === undefined || b === undefined) throw new Error("no servers");
      const kv = await connect([a.address, b.address], { timeout: "60s" });
      stage.atEnd(() => kv.close());
      const isWell = (address: string): boolean | undefined =>
        kv.replicas.find((replica) => replica.address === address)?.isWell;
      await eventually("both are in use", () => {
        expect([a, b].map(({ address }) => isWell(address))).toEqual([true, true]);
      });
      for (const server of [a, b]) {
        server.signal("SIGSTOP");
        try {
          // Whichever replica the calls are on, they are answered by the one that lives.
          await Promise.all(Array.from({ length: 16 }, (_, index) => kv.set(`stopped-${index}`, index)));
          await Promise.all(Array.from({ length: 16 }, (_, index) => kv.get(`stopped-${index}`)));
          await eventually("it is out of use", () => expect(isWell(server.address)).toBe(false));
        } finally {
          server.signal("SIGCONT");
        }
        await eventually("it is in use again", () => expect(isWell(server.address)).toBe(true));
      }
    },
  );
});
