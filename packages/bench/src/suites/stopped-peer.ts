/** What one stopped peer costs the others: their latency and their memory while a steady load goes on. */
import type { Bench } from "../bench.ts";
import { randomSets } from "../loads/operations.ts";
import { latencies } from "../loads/pipeline.ts";
import { startMesh } from "../servers/meshkv.ts";
import { quantile } from "../statistics.ts";

const MIB = 1024 * 1024;
/** Enough writes for a p99; only memory needs the whole time. */
const WELL_SECONDS_MAX = 120;
const LOAD = { streams: 1, perMessage: 1, inFlight: 1 };

/** Three peers, one of which is stopped by a signal in the end, as a hanging machine would be. */
export async function measureStoppedPeer(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  bench.say("one stopped peer");
  const mesh = await startMesh(folder, 3, "stopped");
  const [writer, , peer] = mesh;
  if (writer === undefined || peer === undefined) throw new Error("no mesh");
  const { address } = writer;
  const p99 = async (seconds: number): Promise<number> => {
    const load = { ...LOAD, address, next: randomSets(scale.keys, 1) };
    return quantile(await latencies(load, scale.stoppedRate, seconds), 0.99);
  };
  try {
    const wellSeconds = Math.min(WELL_SECONDS_MAX, scale.stoppedSeconds);
    await p99(wellSeconds);
    const healthy = await p99(wellSeconds);
    const before = writer.residentBytes;
    peer.signal("SIGSTOP");
    const stopped = await p99(scale.stoppedSeconds);
    const note = `${scale.stoppedRate} writes/s for ${scale.stoppedSeconds} s`;
    bench.add("set p99, all peers well", "ms", healthy, note);
    bench.add("set p99, one peer stopped", "ms", stopped, note);
    bench.add("memory added by a stopped peer", "MiB", (writer.residentBytes - before) / MIB, note);
  } finally {
    peer.signal("SIGCONT");
    for (const server of mesh) await server.end();
  }
}
