import { ChangeSet, type KeyText, makeRecord, type WriteRecord } from "@meshkv/core";
import { Database, type Engine, openMemoryEngine } from "@meshkv/store";
import { replicaId } from "../arbitraries/identifiers.ts";
import { demand, type Scenario } from "./scenario.ts";

const ORIGIN = replicaId(1);

/** An engine that notes how it is written to, and fails when it is told. */
class WatchedEngine implements Engine {
  readonly #inner: Engine;
  readonly syncs: boolean[] = [];
  failsNext = false;

  constructor(inner: Engine) {
    this.#inner = inner;
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#inner.getSync(key);
  }

  iterator(...range: Parameters<Engine["iterator"]>): ReturnType<Engine["iterator"]> {
    return this.#inner.iterator(...range);
  }

  batch(): ReturnType<Engine["batch"]> {
    const batch = this.#inner.batch();
    return {
      put: (key, value) => batch.put(key, value),
      del: (key) => batch.del(key),
      close: () => batch.close(),
      write: async (options) => {
        this.syncs.push(options.sync);
        if (!this.failsNext) return batch.write(options);
        this.failsNext = false;
        await batch.close();
        throw new Error("input/output error");
      },
    };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function record(timestamp: number, moreFollows = false): WriteRecord {
  return makeRecord({
    timestamp,
    origin: ORIGIN,
    key: `key ${timestamp}` as KeyText,
    isDelete: false,
    value: new Uint8Array(100),
    expiresAtMs: 0,
    context: [],
    moreFollows,
    adopted: undefined,
  });
}

function groupOf(...records: readonly WriteRecord[]): ChangeSet {
  const group = new ChangeSet(1);
  for (const winner of records) {
    group.records.push(winner);
    group.entries.set(winner.key, { before: undefined, after: { winner, siblings: [] } });
  }
  return group;
}

async function fails(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

export const STORAGE_SCENARIOS: readonly Scenario[] = [
  {
    name: "after-a-failed-batch-nothing-is-written",
    run: async () => {
      const engine = new WatchedEngine(await openMemoryEngine());
      const database = await Database.open({ engine });
      const table = database.generation(1);
      await table.commit(groupOf(record(1)));
      engine.failsNext = true;
      demand(await fails(table.commit(groupOf(record(2)))), "a failed batch is told");
      demand(await fails(table.commit(groupOf(record(3)))), "no batch is written after a failed one");
      demand(table.entry("key 1" as KeyText) !== undefined, "reads go on");
      await database.close();
    },
  },
  {
    name: "every-commit-is-synced",
    run: async () => {
      const engine = new WatchedEngine(await openMemoryEngine());
      const database = await Database.open({ engine });
      for (let timestamp = 1; timestamp <= 5; timestamp += 1)
        await database.generation(1).commit(groupOf(record(timestamp)));
      await database.close();
      demand(engine.syncs.length >= 5, "each group is a batch");
      demand(engine.syncs.every(Boolean), "what is acknowledged survives a power failure");
    },
  },
  {
    name: "a-full-disk-is-never-met",
    run: async () => {
      const engine = new WatchedEngine(await openMemoryEngine());
      let freeBytes = 10_000;
      const options = { freeBytesFloor: 5000, freeBytesProbe: async () => freeBytes };
      const database = await Database.open({ engine }, options);
      await database.generation(1).commit(groupOf(record(1)));
      await database.close();
      freeBytes = 10;
      const full = await Database.open({ engine: new WatchedEngine(await openMemoryEngine()) }, options);
      const refused = await full
        .generation(1)
        .commit(groupOf(record(2)))
        .then(
          () => "",
          (error: unknown) => String(error instanceof Error && "code" in error ? error.code : error),
        );
      await full.close();
      demand(refused === "STORAGE_FULL", "writes are refused while free space is below the floor");
    },
  },
  {
    name: "a-log-is-read-in-whole-batches",
    run: async () => {
      const database = await Database.open({ memory: true });
      const table = database.generation(1);
      await table.commit(groupOf(record(1), record(2, true), record(3, true), record(4), record(5)));
      const request = { kind: "log", origin: ORIGIN, after: 1, upTo: 5, bytesMax: 1 } as const;
      const result = await table.scan(request);
      const read = result.kind === "log" ? result.records.map(({ timestamp }) => timestamp) : [];
      await database.close();
      demand(read.join() === "2,3,4", "a page of a log ends at the end of a batch");
    },
  },
];
