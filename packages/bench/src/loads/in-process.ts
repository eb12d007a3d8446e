/** The store without a network: what a read and a commit cost by themselves. */
import { join } from "node:path";
import {
  foundingState,
  type KeyText,
  keyTextFromBytes,
  Replica,
  type ReplicaId,
  type StartId,
} from "@meshkv/core";
import { Database, type Generation } from "@meshkv/store";
import { randomFrom } from "../statistics.ts";
import { keyOf } from "./operations.ts";

const ID = "00000000000000aa" as ReplicaId;
const START = "00000000000000bb" as StartId;
const VALUE = new Uint8Array(100).fill(0x76);
const GROUP = 256;
const KEYS = 100_000;
/** Keys that are read again and again, in an order that nobody can foresee. */
const HOT_KEYS = 1024;
/** Reads between two looks at the clock. */
const READS = 10_000;

/** What was measured. */
export interface InProcessRates {
  /** Reads per second of random keys out of a small working set; what was read is looked at. */
  readonly hotGets: number;
  /** Durable writes per second, in groups of 256; while one group is at the disk, the next one fills. */
  readonly durableSets: number;
}

/** Measures for some seconds in a directory. */
export async function inProcessRates(folder: string, seconds: number): Promise<InProcessRates> {
  const database = await Database.open({ directory: join(folder, "in-process") });
  try {
    const generation = database.generation(database.currentGeneration);
    const keys = Array.from({ length: KEYS }, (_, number) => keyTextFromBytes(keyOf(number)));
    const durableSets = await setsPerSecond(generation, keys, seconds);
    return { hotGets: getsPerSecond(generation, keys.slice(0, HOT_KEYS), seconds), durableSets };
  } finally {
    await database.close();
  }
}

async function setsPerSecond(
  generation: Generation,
  keys: readonly KeyText[],
  seconds: number,
): Promise<number> {
  const replica = new Replica(foundingState(ID, "bench", 1, ""), generation);
  const commit = async (): Promise<number> => {
    const group = replica.takeGroup();
    if (group === undefined) return 0;
    await generation.commit(group);
    return replica.groupDurable().records.length;
  };
  replica.beginStart(START);
  await commit();
  let [written, durable] = [0, 0];
  let underWay = Promise.resolve(0);
  const startMs = performance.now();
  // Every key once, whatever time it takes: they are read afterwards.
  while (written < keys.length || performance.now() - startMs < seconds * 1000) {
    for (let index = 0; index < GROUP; index += 1) {
      const key = keys[(written * 7919) % keys.length] ?? ("" as KeyText);
      replica.write([{ key, value: VALUE, expiresAtMs: 0 }], Date.now());
      written += 1;
    }
    durable += await underWay;
    underWay = commit();
  }
  durable += await underWay;
  const rate = durable / ((performance.now() - startMs) / 1000);
  if (durable !== written) throw new Error(`${written} writes, of which ${durable} became durable`);
  return rate;
}

function getsPerSecond(generation: Generation, keys: readonly KeyText[], seconds: number): number {
  const random = randomFrom(7);
  const order = Array.from(
    { length: READS },
    () => keys[Math.floor(random() * keys.length)] ?? ("" as KeyText),
  );
  let [reads, bytes] = [0, 0];
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1000) {
    for (const key of order) {
      const { value } = generation.entry(key)?.winner ?? { value: undefined };
      // The compiler must not leave out what nobody looks at.
      bytes += value === undefined ? 0 : value.length + (value[reads % VALUE.length] ?? 0);
      reads += 1;
    }
  }
  const rate = reads / ((performance.now() - startMs) / 1000);
  const expected = reads * (VALUE.length + (VALUE[0] ?? 0));
  if (bytes !== expected) throw new Error(`reads gave ${bytes}, and should have given ${expected}`);
  return rate;
}
