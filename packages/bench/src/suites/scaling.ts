/** What an operation costs as values, members and watchers grow; how it grows with keys is in `growth.ts`. */
import type { Bench } from "../bench.ts";
import { fanOutDelays } from "../loads/fan-out.ts";
import { orderedSets, randomGets, randomSets } from "../loads/operations.ts";
import { pipelineCount, type PipelineLoad, pipelineThroughput } from "../loads/pipeline.ts";
import { MeshkvServer, startMesh } from "../servers/meshkv.ts";
import { quantile } from "../statistics.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const VALUE_SIZES = [16, 100, KIB, 10 * KIB, 100 * KIB] as const;
const MEMBERS = [1, 2, 3, 5] as const;
const WATCHERS = [1, 10, 100, 1000] as const;
const WRITES = 30;
const ROUNDS_MAX = 3;
const SECONDS_MAX = 2;
const PER_MESSAGE_MAX = 64;
/** Bytes of values in one message, and in one table: small enough for gets to be answered out of memory. */
const MESSAGE_BYTES_MAX = 256 * KIB;
const TABLE_BYTES = 32 * MIB;

/** Values from 16 B to 100 KiB, meshes of one to five, and one to a thousand watchers. */
export async function measureScaling(bench: Bench): Promise<void> {
  await measureValues(bench);
  await measureMembers(bench);
  await measureWatchers(bench);
}

function roundsOf({ scale }: Bench): number {
  return Math.min(ROUNDS_MAX, scale.rounds);
}

/** Microseconds of a server's processor time for each operation. */
async function microsecondsOf(server: MeshkvServer, run: () => Promise<number>): Promise<number> {
  const before = server.processorSeconds;
  const operations = await run();
  return (1e6 * (server.processorSeconds - before)) / operations;
}

async function measureValues(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  for (const valueBytes of VALUE_SIZES) {
    bench.say(`values of ${valueBytes} bytes`);
    const server = await MeshkvServer.start({ folder, name: `values-${valueBytes}` });
    const { address } = server;
    const keys = Math.min(scale.keys, Math.floor(TABLE_BYTES / valueBytes));
    const perMessage = Math.max(1, Math.min(PER_MESSAGE_MAX, Math.floor(MESSAGE_BYTES_MAX / valueBytes)));
    const shape = { address, streams: 4, perMessage, inFlight: 4 };
    const note = `values of ${valueBytes} bytes, ${perMessage} a message, ${keys} keys`;
    try {
      await pipelineCount({ ...shape, next: orderedSets(0, valueBytes) }, keys);
      for (let round = 1; round <= roundsOf(bench); round += 1) {
        for (const [kind, next] of [
          ["set", randomSets(keys, round, valueBytes)],
          ["get", randomGets(keys, round)],
        ] as const)
          await measureLoad(
            bench,
            server,
            `${kind}, values of ${valueBytes} bytes`,
            { ...shape, next },
            note,
          );
      }
    } finally {
      await server.end();
    }
  }
}

async function measureLoad(
  bench: Bench,
  server: MeshkvServer,
  name: string,
  load: PipelineLoad,
  note: string,
): Promise<void> {
  let rate = 0;
  const microseconds = await microsecondsOf(server, async () => {
    const done = await pipelineThroughput(load, Math.min(SECONDS_MAX, bench.scale.seconds));
    ({ rate } = done);
    return done.results;
  });
  bench.add(`pipeline ${name}`, "operations/s", rate, note);
  bench.add(`pipeline ${name}, processor`, "µs each", microseconds, note);
}

async function measureMembers(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  for (const members of MEMBERS) {
    bench.say(`a mesh of ${members}`);
    const mesh = await startMesh(folder, members, `members-${members}`);
    const [writer, peer] = mesh;
    if (writer === undefined) throw new Error("no mesh");
    const load = {
      address: writer.address,
      streams: 1,
      perMessage: PER_MESSAGE_MAX,
      inFlight: 16,
      next: randomSets(scale.keys, 1),
    };
    try {
      for (let round = 1; round <= roundsOf(bench); round += 1) {
        let written = 0;
        const peerBefore = peer?.processorSeconds ?? 0;
        const atWriter = await microsecondsOf(writer, async () => {
          written = (await pipelineThroughput(load, Math.min(SECONDS_MAX, scale.seconds))).results;
          // What a write costs its writer includes telling everybody.
          for (const server of mesh) await server.sameAs(writer);
          return written;
        });
        bench.add(`a set in a mesh of ${members}, processor of its writer`, "µs each", atWriter);
        if (peer !== undefined) {
          const atPeer = (1e6 * (peer.processorSeconds - peerBefore)) / written;
          bench.add(`a set in a mesh of ${members}, processor of a peer`, "µs each", atPeer);
        }
      }
    } finally {
      for (const server of mesh) await server.end();
    }
  }
}

async function measureWatchers(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  const server = await MeshkvServer.start({ folder, name: "watchers" });
  try {
    for (const watchers of WATCHERS.filter((count) => count <= scale.watchers)) {
      bench.say(`${watchers} watchers`);
      for (let round = 1; round <= roundsOf(bench); round += 1) {
        let before = 0;
        const delays = await fanOutDelays(server.address, watchers, WRITES, () => {
          before = server.processorSeconds;
        });
        const microseconds = (1e6 * (server.processorSeconds - before)) / delays.length;
        bench.add(`one write to ${watchers} watchers, p50`, "ms", quantile(delays, 0.5));
        bench.add(`one write to ${watchers} watchers, p99`, "ms", quantile(delays, 0.99));
        bench.add(`one write to ${watchers} watchers, processor`, "µs an event", microseconds);
      }
    }
  } finally {
    await server.end();
  }
}
