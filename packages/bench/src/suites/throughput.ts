/** Operations per second of every server that is found, in interleaved rounds. */
import {
  create,
  GetRequestSchema,
  KeyValue,
  ListRequestSchema,
  methodCodec,
  SetRequestSchema,
} from "@meshkv/protocol";
import type { KV } from "nats";
import type { Bench } from "../bench.ts";
import { type UnaryCall, unaryThroughput } from "../loads/h2load.ts";
import { keyOf, mixed, orderedSets, randomGets, randomSets, VALUE_BYTES } from "../loads/operations.ts";
import { pipelineCount, type PipelineLoad, pipelineThroughput } from "../loads/pipeline.ts";
import { isInstalled } from "../servers/child.ts";
import { ETCD_PUT, ETCD_RANGE, etcdGet, etcdList, etcdPut, EtcdServer } from "../servers/etcd.ts";
import { MeshkvServer, startMesh } from "../servers/meshkv.ts";
import { NatsServer } from "../servers/nats.ts";
import { RedisServer } from "../servers/redis.ts";

/** What one run of a load found. */
interface LoadResult {
  /** Operations per second. */
  readonly rate: number;
  /** Operations per second of the server's processor time; undefined: not known. */
  readonly perProcessorSecond?: number;
}

interface Load {
  readonly name: string;
  readonly run: () => Promise<LoadResult>;
}

/** A server whose successes and processor time are counted by others than the client. */
interface CountedServer {
  readonly served: () => Promise<number>;
  readonly processorSeconds: () => number;
}

const KEY = keyOf(0);
const VALUE = new Uint8Array(VALUE_BYTES).fill(0x76);
const SET_BODY = methodCodec(KeyValue.method.set).requestSerialize(
  create(SetRequestSchema, { key: KEY, value: VALUE }),
);
const GET_BODY = methodCodec(KeyValue.method.get).requestSerialize(create(GetRequestSchema, { key: KEY }));
const SET_PATH = methodCodec(KeyValue.method.set).path;
const GET_PATH = methodCodec(KeyValue.method.get).path;
const LIST_PATH = methodCodec(KeyValue.method.list).path;
const PAGE = 1000;
const LIST_BODY = methodCodec(KeyValue.method.list).requestSerialize(
  create(ListRequestSchema, { pageSize: PAGE }),
);
const LIST_NAME = `meshkv list, pages of ${PAGE} entries`;
const PIPELINE = { streams: 4, perMessage: 64, inFlight: 8 };
/** As many operations in flight, all on one stream. */
const ONE_STREAM = { streams: 1, perMessage: 64, inFlight: 32 };

/** Measures all of them; servers that are not installed are left out. */
export async function measureThroughput(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  const ends: (() => Promise<void>)[] = [];
  try {
    bench.say("starting servers");
    const one = await MeshkvServer.start({ folder, name: "one" });
    ends.push(() => one.end());
    const mesh = await startMesh(folder, 3, "three");
    ends.push(async () => {
      for (const server of mesh) await server.end();
    });
    const [three] = mesh;
    if (three === undefined) throw new Error("no mesh");
    await pipelineCount({ ...PIPELINE, address: one.address, next: orderedSets(0) }, scale.keys);
    const loads = [...meshkvLoads(bench, one, three)];
    if (isInstalled("etcd")) {
      const etcd = await EtcdServer.start(folder);
      ends.push(() => etcd.end());
      loads.push(...(await etcdLoads(bench, etcd)));
    }
    if (isInstalled("redis-server")) {
      for (const policy of scale.isWhole ? (["always", "everysec"] as const) : (["always"] as const)) {
        const redis = await RedisServer.start(folder, policy);
        ends.push(() => redis.end());
        loads.push(...redisLoads(bench, redis, policy));
      }
    }
    if (isInstalled("nats-server")) {
      const nats = await NatsServer.start(folder);
      ends.push(() => nats.end());
      loads.push(...natsLoads(bench, nats));
    }
    for (let round = 1; round <= scale.rounds; round += 1) {
      bench.say(`round ${round} of ${scale.rounds}`);
      for (const { name, run } of loads) {
        const result = await run().catch((error: unknown) => bench.fail(name, error));
        if (result === undefined) continue;
        const { rate, perProcessorSecond } = result;
        bench.add(name, "operations/s", rate);
        if (perProcessorSecond !== undefined)
          bench.add(`${name}, processor`, "operations/processor s", perProcessorSecond);
      }
    }
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Counts from the server's side while a load runs, and holds the client's count against it. */
async function counted(
  { served, processorSeconds }: CountedServer,
  run: () => Promise<{ readonly rate: number; readonly calls: number }>,
): Promise<LoadResult> {
  const [servedBefore, secondsBefore] = [await served(), processorSeconds()];
  const { rate, calls } = await run();
  const seconds = processorSeconds() - secondsBefore;
  const successes = (await served()) - servedBefore;
  // Those of the warm-up, and those in flight at the end, were served and not counted by the client.
  if (successes < calls * 0.99)
    throw new Error(`the client counts ${calls} answers, the server ${successes} successes`);
  return { rate, perProcessorSecond: successes / seconds };
}

/** Entries instead of pages. */
function pages(run: () => Promise<LoadResult>): () => Promise<LoadResult> {
  return async () => {
    const { rate, perProcessorSecond } = await run();
    return {
      rate: rate * PAGE,
      ...(perProcessorSecond === undefined ? {} : { perProcessorSecond: perProcessorSecond * PAGE }),
    };
  };
}

function* meshkvLoads({ folder, scale }: Bench, one: MeshkvServer, three: MeshkvServer): Generator<Load> {
  const unary = (server: MeshkvServer, operation: string, call: UnaryCall) => () => {
    const labels = new RegExp(`operation="${operation}".*result="OK"`, "i");
    const counts: CountedServer = {
      served: () => server.metric("meshkv_operations_total", labels),
      processorSeconds: () => server.processorSeconds,
    };
    return counted(counts, () => unaryThroughput(folder, call, scale));
  };
  if (isInstalled("h2load")) {
    const get = { path: GET_PATH, body: GET_BODY };
    const set = { path: SET_PATH, body: SET_BODY };
    yield { name: "meshkv unary get", run: unary(one, "Get", { address: one.address, ...get }) };
    yield { name: "meshkv unary set", run: unary(one, "Set", { address: one.address, ...set }) };
    if (scale.isWhole) {
      const list = { path: LIST_PATH, body: LIST_BODY, inFlight: 1 };
      yield { name: LIST_NAME, run: pages(unary(one, "List", { address: one.address, ...list })) };
    }
    yield {
      name: "meshkv unary set, three peers",
      run: unary(three, "Set", { address: three.address, ...set }),
    };
  }
  const pipelines: (readonly [string, typeof PIPELINE, PipelineLoad["next"]])[] = [
    ["get", PIPELINE, randomGets(scale.keys, 1)],
    ["set", PIPELINE, randomSets(scale.keys, 1)],
    ["set, one stream", ONE_STREAM, randomSets(scale.keys, 1)],
  ];
  if (scale.isWhole) pipelines.push(["mixed 90/10", PIPELINE, mixed(scale.keys, 1)]);
  for (const [kind, shape, next] of pipelines) {
    yield {
      name: `meshkv pipeline ${kind}`,
      async run() {
        const before = one.processorSeconds;
        const load = { ...shape, address: one.address, next };
        const { rate, results } = await pipelineThroughput(load, scale.seconds);
        return { rate, perProcessorSecond: results / (one.processorSeconds - before) };
      },
    };
  }
}

async function etcdLoads({ folder, scale }: Bench, etcd: EtcdServer): Promise<Load[]> {
  const { address, client } = etcd;
  const [get, put] = [etcdGet(KEY), etcdPut(KEY, VALUE)];
  for (let number = 0; number < PAGE; number += 1) await client.raw(ETCD_PUT, etcdPut(keyOf(number), VALUE));
  const found = await client.raw(ETCD_RANGE, get);
  if (!Buffer.from(found).includes(Buffer.from(VALUE))) throw new Error("etcd does not answer what was put");
  const unary = (method: string, path: string, body: Uint8Array, inFlight?: number) => () => {
    const counts: CountedServer = {
      served: () => etcd.served(method),
      processorSeconds: () => etcd.processorSeconds,
    };
    return counted(counts, () =>
      unaryThroughput(folder, { address, path, body, ...(inFlight && { inFlight }) }, scale),
    );
  };
  if (!isInstalled("h2load")) return [];
  const loads = [
    { name: "etcd unary get", run: unary("Range", ETCD_RANGE, get) },
    { name: "etcd unary put", run: unary("Put", ETCD_PUT, put) },
  ];
  if (scale.isWhole) {
    const run = pages(unary("Range", ETCD_RANGE, etcdList(keyOf(0), PAGE), 1));
    loads.push({ name: `etcd range, pages of ${PAGE} entries`, run });
  }
  return loads;
}

function* redisLoads({ scale }: Bench, redis: RedisServer, policy: string): Generator<Load> {
  for (const depth of scale.isWhole ? [1, 16, 64] : [1, 64]) {
    // So many that it takes about as long as the other loads.
    const count = Math.round(scale.seconds * (depth === 1 ? 8000 : depth * 4000));
    yield {
      name: `redis set, appendfsync ${policy}, pipelines of ${depth}`,
      run: async () => ({ rate: await redis.throughput("set", depth, count) }),
    };
  }
}

function* natsLoads({ scale }: Bench, nats: NatsServer): Generator<Load> {
  const key = new TextDecoder().decode(KEY);
  const calls = { put: (bucket: KV) => bucket.put(key, VALUE), get: (bucket: KV) => bucket.get(key) };
  for (const [kind, call] of Object.entries(calls)) {
    yield {
      name: `nats key-value ${kind}, JavaScript client, not synced`,
      async run() {
        const before = nats.processorSeconds;
        const rate = await nats.throughput(32, scale.seconds, call);
        return { rate, perProcessorSecond: (rate * scale.seconds) / (nats.processorSeconds - before) };
      },
    };
  }
}
