/** How latency, memory and restart grow with the number of keys; and the store without a network. */
import type { Bench } from "../bench.ts";
import { inProcessRates } from "../loads/in-process.ts";
import { orderedSets, randomGets, randomSets } from "../loads/operations.ts";
import { latencies, pipelineCount } from "../loads/pipeline.ts";
import { MeshkvServer } from "../servers/meshkv.ts";
import { median, quantile } from "../statistics.ts";

const MIB = 1024 * 1024;
const FILL = { streams: 2, perMessage: 256, inFlight: 4 };
const RATE = 500;

/** Latencies at several sizes of the table, memory on the way, and a restart at the end. */
export async function measureGrowth(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  const server = await MeshkvServer.start({ folder, name: "growth" });
  try {
    bench.add("memory, idle", "MiB", server.residentBytes / MIB);
    const { address } = server;
    let filled = 0;
    for (const keys of scale.growth) {
      bench.say(`filling up to ${keys} keys`);
      const tookMs = await pipelineCount({ ...FILL, address, next: orderedSets(filled) }, keys - filled);
      bench.add(`filling up to ${keys} keys`, "writes/s", (keys - filled) / (tookMs / 1000));
      filled = keys;
      for (const [kind, next] of [
        ["get", randomGets(keys, 1)],
        ["set", randomSets(keys, 1)],
      ] as const) {
        const load = { ...FILL, address, next };
        // The median of several short runs: one pause of the machine must not decide.
        const runs: number[] = [];
        for (let run = 0; run < scale.growthRuns; run += 1)
          runs.push(quantile(await latencies(load, RATE, scale.seconds), 0.99));
        bench.add(`${kind} p99 at ${keys} keys`, "ms", median(runs), `${RATE} operations/s, one at a time`);
      }
      bench.add(`memory at ${keys} keys`, "MiB", server.residentBytes / MIB);
    }
    bench.say("restart");
    await server.end("SIGKILL");
    const startMs = performance.now();
    await server.start();
    bench.add("restart after a kill", "s", (performance.now() - startMs) / 1000, `${filled} keys`);
  } finally {
    await server.end();
  }
  bench.say("in process");
  const { hotGets, durableSets } = await inProcessRates(folder, scale.seconds);
  bench.add("in process, get of a hot key", "operations/s", hotGets);
  bench.add("in process, durable set in groups of 256", "operations/s", durableSets);
}
