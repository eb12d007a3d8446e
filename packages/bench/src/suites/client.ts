/** What sharing a stream brings to callers of the TypeScript client. */
import { connect } from "@meshkv/client";
import type { Bench } from "../bench.ts";
import { MeshkvServer } from "../servers/meshkv.ts";

const CALLERS = 256;
const KEYS_PER_CALLER = 50;

/** 256 callers of one client, each setting one key after the other, durably, with pipelining and without, by turns. */
export async function measureClient(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  bench.say("client");
  const server = await MeshkvServer.start({ folder, name: "client" });
  try {
    for (let round = 0; round <= scale.rounds; round += 1) {
      for (const pipelining of [false, true]) {
        const rate = await setsPerSecond(server.address, scale.seconds, pipelining);
        // The first round warms up.
        if (round > 0)
          bench.add(`client set, ${pipelining ? "pipelined" : "one by one"}`, "operations/s", rate);
      }
    }
  } finally {
    await server.end();
  }
}

async function setsPerSecond(address: string, seconds: number, pipelining: boolean): Promise<number> {
  await using kv = await connect(address, { pipelining, connectTimeout: "30s" });
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let count = 0;
  const call = async (caller: number): Promise<void> => {
    for (let index = 0; performance.now() < endMs; index += 1) {
      await kv.set(`client/${caller}/${index % KEYS_PER_CALLER}`, { index });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  return count / ((performance.now() - startMs) / 1000);
}
