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
import { Database } from "@meshkv/store";
import { keyOf } from "./operations.ts";

const ID = "00000000000000aa" as ReplicaId;
const START = "00000000000000bb" as StartId;
const VALUE = new Uint8Array(100).fill(0x76);

/** What was measured. */
export interface InProcessRates {
  /** Reads of one cached key per second. */
  readonly hotGets: number;
  /** Durable writes per second, in groups of 256. */
  readonly durableSets: number;
}

/** Measures for some seconds in a directory. */
export async function inProcessRates(folder: string, seconds: number): Promise<InProcessRates> {
  const database = await Database.open({ directory: join(folder, "in-process") });
  try {
    const generation = database.generation(database.currentGeneration);
    const replica = new Replica(foundingState(ID, "bench", 1, ""), generation);
    replica.beginStart(START);
    const commit = async (): Promise<void> => {
      const group = replica.takeGroup();
      if (group === undefined) return;
      await generation.commit(group);
      replica.groupDurable();
    };
    await commit();
    const keys = Array.from({ length: 100_000 }, (_, number) => keyTextFromBytes(keyOf(number)));
    let [written, reads] = [0, 0];
    const startMs = performance.now();
    while (performance.now() - startMs < seconds * 1000) {
      for (let index = 0; index < 256; index += 1) {
        const key = keys[(written * 7919) % keys.length] ?? ("" as KeyText);
        replica.write([{ key, value: VALUE, expiresAtMs: 0 }], Date.now());
        written += 1;
      }
      await commit();
    }
    const durableSets = written / ((performance.now() - startMs) / 1000);
    const [hot = "" as KeyText] = keys;
    generation.entry(hot);
    const readMs = performance.now();
    while (performance.now() - readMs < seconds * 1000) {
      for (let index = 0; index < 10_000; index += 1) if (generation.entry(hot) !== undefined) reads += 1;
    }
    return { hotGets: reads / ((performance.now() - readMs) / 1000), durableSets };
  } finally {
    await database.close();
  }
}
