/** Clients that write and read without end, many operations at a time, and note what they are told. */
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../simulator/random.ts";
import type { Cluster } from "./cluster.ts";
import { Lane, type LaneOperation } from "./lane.ts";
import type { Recorder } from "./recorder.ts";

/** Operations in one message, about, and how many may be unanswered. */
const MESSAGE_OPERATIONS = 48;
const UNANSWERED_MAX = 250;
/** A client that was held up catches up with so much of what it missed. */
const ARREARS_MS_MAX = 2000;
const NOBODY_PAUSE_MS = 40;
const BATCH_MAX = 8;
/** Keys that everybody writes again and again, and that sessions and watchers look at. */
export const HOT_KEYS: readonly string[] = Array.from({ length: 24 }, (_, index) => `hot/${index}`);

/** How much there is to do. */
export interface LoadOptions {
  readonly seed: number;
  readonly clients: number;
  readonly keys: number;
  /** Of all clients together; what they do where the servers keep up. */
  readonly operationsPerSecond: number;
}

/** The clients of a run. */
export class Load {
  readonly #cluster: Cluster;
  readonly #recorder: Recorder;
  readonly #options: LoadOptions;
  #isStopping = false;
  #clients: Promise<void>[] = [];

  constructor(cluster: Cluster, recorder: Recorder, options: LoadOptions) {
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#options = options;
  }

  /** Lets the clients begin. */
  start(round: number): void {
    this.#isStopping = false;
    this.#clients = Array.from({ length: this.#options.clients }, (_, index) =>
      this.#client(new Random(this.#options.seed, round * 1000 + index)),
    );
    // Told by stop(); a run that is interrupted no longer asks.
    for (const client of this.#clients) client.catch(() => undefined);
  }

  /** Resolves when every client has finished what it was at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  /** Goes from server to server, and stays at each for some messages. */
  async #client(random: Random): Promise<void> {
    const { clients, operationsPerSecond } = this.#options;
    const stepMs = (1000 * MESSAGE_OPERATIONS * clients) / operationsPerSecond;
    let dueMs = performance.now();
    while (!this.#isStopping) {
      const { open } = this.#cluster;
      if (open.length === 0) {
        await sleep(NOBODY_PAUSE_MS);
        continue;
      }
      const lane = new Lane(random.pick(open), this.#recorder);
      const patienceMs = random.logarithmic(4000, 12_000);
      for (let left = random.between(3, 24); left > 0 && !this.#isStopping; left -= 1) {
        lane.send(this.#operations(random));
        if (!(await lane.drained(UNANSWERED_MAX, patienceMs))) break;
        dueMs = Math.max(dueMs + stepMs * (0.5 + random.float()), performance.now() - ARREARS_MS_MAX);
        await sleep(Math.max(0, dueMs - performance.now()));
      }
      await lane.close(patienceMs);
      if (lane.answers === 0) await sleep(NOBODY_PAUSE_MS);
    }
  }

  #operations(random: Random): LaneOperation[] {
    const operations: LaneOperation[] = [];
    const replicas = random.chance(0.12) ? 2 : 1;
    for (
      let count = random.between(MESSAGE_OPERATIONS / 2, MESSAGE_OPERATIONS * 1.5);
      count > 0;
      count -= 1
    ) {
      if (random.chance(0.1)) operations.push({ kind: "get", key: this.#key(random) });
      else operations.push({ kind: "write", writes: this.#writes(random, 1), replicas });
    }
    // What comes before a batch is answered before it runs: one in some messages is enough.
    if (random.chance(0.05)) {
      const writes = this.#writes(random, random.between(2, BATCH_MAX));
      operations.push({ kind: "write", writes, replicas: 1 });
    }
    return operations;
  }

  #writes(random: Random, count: number): { key: string; value: string | undefined }[] {
    const writes = new Map<string, { key: string; value: string | undefined }>();
    for (let index = 0; index < count; index += 1) {
      const key = this.#key(random);
      writes.set(key, { key, value: random.chance(0.2) ? undefined : this.#recorder.newValue() });
    }
    return [...writes.values()];
  }

  #key(random: Random): string {
    return random.chance(0.25) ? random.pick(HOT_KEYS) : `key/${random.below(this.#options.keys)}`;
  }
}
