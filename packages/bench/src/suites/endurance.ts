/** One server under a steady load for a long time: what compaction, garbage and the event loop do to latency. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { orderedSets, randomGets, randomSets } from "../loads/operations.ts";
import { pipelineCount, steadyLoad } from "../loads/pipeline.ts";
import { MeshkvServer } from "../servers/meshkv.ts";

const MIB = 1024 * 1024;
const FILL = { streams: 2, perMessage: 256, inFlight: 4 };
const PART_SECONDS_MAX = 60;
const KINDS = ["get", "set"] as const;
type Latencies = Readonly<Record<(typeof KINDS)[number], RecordableHistogram>>;

/** Microseconds; what is greater than ten minutes counts as that. */
function newLatencies(): Latencies {
  return { get: createHistogram({ highest: 600_000_000 }), set: createHistogram({ highest: 600_000_000 }) };
}

function msAt(histogram: RecordableHistogram, percentile: number): number {
  return histogram.percentile(percentile) / 1000;
}

/** A set and a get in turn, of random keys, at a steady rate; judged as a whole and minute by minute. */
export async function measureEndurance(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  const { enduranceKeys: keys, enduranceRate: rate, enduranceSeconds: seconds } = scale;
  bench.say(`endurance: ${rate} operations/s for ${seconds} s`);
  const server = await MeshkvServer.start({ folder, name: "endurance" });
  const { address } = server;
  try {
    await pipelineCount({ ...FILL, address, next: orderedSets(0) }, keys);
    const collecting = await garbageSeconds(server);
    const whole = newLatencies();
    const note = `${rate} operations/s for ${seconds} s, half of them sets, ${keys} keys`;
    const partSeconds = Math.min(PART_SECONDS_MAX, seconds);
    let part = newLatencies();
    // Read minute by minute, since the server's own figures of its event loop begin anew whenever they are read.
    const isOver = new AbortController();
    const endPart = async (): Promise<void> => {
      const ended = part;
      part = newLatencies();
      for (const kind of KINDS) {
        whole[kind].add(ended[kind]);
        bench.add(`endurance, ${kind} p99 of a minute`, "ms", msAt(ended[kind], 99));
      }
      const page = await server.metrics();
      for (const lag of ["p99", "max"])
        bench.add(
          `endurance, event loop delay, ${lag} of a minute`,
          "ms",
          1000 * page.sum(`nodejs_eventloop_lag_${lag}_seconds`),
        );
      bench.add("endurance, memory", "MiB", server.residentBytes / MIB);
    };
    const judge = async (): Promise<void> => {
      for (let done = partSeconds; done < seconds; done += partSeconds) {
        await sleep(partSeconds * 1000, undefined, { signal: isOver.signal });
        await endPart();
      }
    };
    const processorBefore = server.processorSeconds;
    const judging = judge();
    const [gets, sets] = [randomGets(keys, 1), randomSets(keys, 2)];
    let asked = 0;
    const next = (): ReturnType<typeof gets> => {
      asked += 1;
      return asked % 2 === 0 ? gets() : sets();
    };
    try {
      await Promise.race([
        steadyLoad({ address, next }, rate, seconds, (id, ms) => {
          part[id % 2 === 0 ? "get" : "set"].record(Math.max(1, Math.round(ms * 1000)));
        }),
        judging.then(() => new Promise<never>(() => undefined)),
      ]);
    } finally {
      isOver.abort();
      await judging.catch(() => undefined);
    }
    await endPart();
    const processor = server.processorSeconds - processorBefore;
    for (const kind of KINDS) {
      for (const percentile of [50, 99, 99.9, 100])
        bench.add(
          `endurance, ${kind} ${percentile === 100 ? "max" : `p${percentile}`}`,
          "ms",
          msAt(whole[kind], percentile),
          note,
        );
    }
    bench.add("endurance, processor time", "% of one core", (100 * processor) / seconds, note);
    const collected = (await garbageSeconds(server)) - collecting;
    bench.add("endurance, garbage collection", "% of one core", (100 * collected) / seconds, note);
    await addCompactions(bench, server);
  } finally {
    await server.end();
  }
}

function garbageSeconds(server: MeshkvServer): Promise<number> {
  return server.metric("nodejs_gc_duration_seconds_sum");
}

/** What LevelDB says of its own work, the filling included. */
async function addCompactions(bench: Bench, server: MeshkvServer): Promise<void> {
  const log = await server.engineLog();
  const count = (pattern: RegExp): number => log.match(pattern)?.length ?? 0;
  bench.add("endurance, compactions", "", count(/ Compacting \d/g));
  bench.add("endurance, waits of LevelDB for a compaction", "", count(/ waiting\.\.\./g));
}
