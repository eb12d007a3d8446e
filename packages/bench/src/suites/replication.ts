/** What replication costs and how fast it is. */
import type { Bench } from "../bench.ts";
import { fanOutDelays } from "../loads/fan-out.ts";
import { orderedSets, randomSets, VALUE_BYTES } from "../loads/operations.ts";
import { pipelineCount } from "../loads/pipeline.ts";
import { replicationDelays } from "../loads/visibility.ts";
import { MeshkvServer, startMesh } from "../servers/meshkv.ts";
import { quantile } from "../statistics.ts";

const FILL = { streams: 2, perMessage: 256, inFlight: 4 };
const KEY_BYTES = 16;

/** Delay, fan-out, catch-up and bootstrap, on a mesh of two and a third that joins. */
export async function measureReplication(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  const [a, b] = await startMesh(folder, 2, "pair");
  if (a === undefined || b === undefined) throw new Error("no pair");
  let c: MeshkvServer | undefined;
  try {
    bench.say("acknowledged here, visible there");
    const delays = await replicationDelays(a.address, b.address, scale.delayRate, scale.delaySeconds);
    for (const [name, share] of [
      ["p50", 0.5],
      ["p99", 0.99],
      ["maximum", 1],
    ] as const)
      bench.add(`replication delay ${name}`, "ms", quantile(delays, share), `at ${scale.delayRate} writes/s`);

    bench.say("watch fan-out");
    const seen = await fanOutDelays(a.address, scale.watchers, 30);
    bench.add("fan-out p99", "ms", quantile(seen, 0.99), `one write to ${scale.watchers} watchers`);

    bench.say("catch-up");
    await b.sameAs(a);
    await b.end();
    await pipelineCount({ ...FILL, address: a.address, next: orderedSets(0) }, scale.catchUpRecords);
    await b.start();
    const startMs = performance.now();
    await b.sameAs(a);
    const seconds = (performance.now() - startMs) / 1000;
    bench.add("catch-up", "records/s", scale.catchUpRecords / seconds, `${scale.catchUpRecords} records`);

    bench.say("bootstrap");
    const rest = scale.bootstrapKeys - scale.catchUpRecords;
    if (rest > 0) {
      const next = orderedSets(scale.catchUpRecords);
      await pipelineCount({ ...FILL, address: a.address, next }, rest);
      await b.sameAs(a);
    }
    const joinMs = performance.now();
    c = await MeshkvServer.start({ folder, name: "pair-late", peers: [a], isPinned: false });
    await c.sameAs(a);
    const took = (performance.now() - joinMs) / 1000;
    bench.add(
      "bootstrap",
      "s",
      took,
      `${scale.bootstrapKeys} keys of ${VALUE_BYTES} bytes, process start included`,
    );
  } finally {
    for (const server of [c, b, a]) await server?.end();
  }
}

/** Bytes between members for each byte that was written. */
export async function measureLinks(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  bench.say("bytes on links");
  const mesh = await startMesh(folder, scale.linkMembers, "links");
  const [writer, ...others] = mesh;
  if (writer === undefined) throw new Error("no mesh");
  try {
    const sent = async (): Promise<number> => {
      let sum = 0;
      for (const server of mesh) sum += await server.metric("meshkv_link_bytes_total", /direction="sent"/);
      return sum;
    };
    const before = await sent();
    const count = scale.bootstrapKeys;
    await pipelineCount({ ...FILL, address: writer.address, next: randomSets(scale.keys, 1) }, count);
    for (const server of others) await server.sameAs(writer);
    const bytes = (await sent()) - before;
    const written = count * (VALUE_BYTES + KEY_BYTES);
    bench.add(
      "bytes on a link per written byte",
      "",
      bytes / written / others.length,
      `${scale.linkMembers} members; a written byte is one of a key of ${KEY_BYTES} or a value of ${VALUE_BYTES} bytes; acknowledgements of all members are in it`,
    );
  } finally {
    for (const server of mesh) await server.end();
  }
}
