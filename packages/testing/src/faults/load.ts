/** Clients that write and read without end, each on its own, and note what they are told. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, MeshkvError } from "@meshkv/core";
import { KeyValue, type MessageInitShape } from "@meshkv/protocol";
import { Random } from "../simulator/random.ts";
import type { Cluster, Subject } from "./cluster.ts";
import { Recorder, type WriteResult } from "./recorder.ts";

/** With these a server has refused a write before it did anything. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "STORAGE_FULL",
  "CLOCK_SKEW",
  "TOO_LARGE",
  "INVALID_ARGUMENT",
  "OVERLOADED",
]);
/** What is said of a call that found no connection to go out on. */
const NEVER_SENT = /No connection established|nothing listens there/;
const CALL_MS_MAX = 4000;
const PAUSE_MS = { afterAnswer: 3, afterError: 40 };
const HOT_KEYS = 24;
const BATCH_MAX = 32;

interface Intent {
  readonly key: string;
  readonly value: string | undefined;
}

/** How much there is to do. */
export interface LoadOptions {
  readonly seed: number;
  readonly clients: number;
  readonly keys: number;
}

/** The clients of a run. */
export class Load {
  readonly #cluster: Cluster;
  readonly #recorder: Recorder;
  readonly #options: LoadOptions;
  #isStopping = false;
  #clients: Promise<void>[] = [];
  #nextValue = 1;

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
  }

  /** Resolves when every client has finished what it was at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  async #client(random: Random): Promise<void> {
    while (!this.#isStopping) {
      const { open } = this.#cluster;
      if (open.length === 0) {
        await sleep(PAUSE_MS.afterError);
        continue;
      }
      const isAnswered = await this.#operate(random, random.pick(open));
      await sleep(isAnswered ? PAUSE_MS.afterAnswer : PAUSE_MS.afterError);
    }
  }

  #operate(random: Random, subject: Subject): Promise<boolean> {
    const choice = random.float();
    if (choice < 0.3) return this.#read(random, subject);
    const count = choice < 0.5 ? 1 : random.between(2, BATCH_MAX);
    const intents = new Map<string, Intent>();
    for (let index = 0; index < count; index += 1) {
      const key = this.#key(random);
      // The number is never given twice, so that a value names its write.
      const value = random.chance(0.2) ? undefined : `v${this.#nextValue}`;
      this.#nextValue += 1;
      intents.set(key, { key, value });
    }
    return this.#write(subject, [...intents.values()], random.chance(0.25) ? 2 : 1);
  }

  #key(random: Random): string {
    if (random.chance(0.4)) return `hot/${random.below(HOT_KEYS)}`;
    return `key/${random.below(this.#options.keys)}`;
  }

  async #read(random: Random, subject: Subject): Promise<boolean> {
    const key = this.#key(random);
    const place = Recorder.placeOf(subject);
    const atMs = performance.now();
    try {
      const request = { key: bytesOf(key) };
      const { entry } = await subject.process.client.call(KeyValue.method.get, request, CALL_MS_MAX);
      const found = entry && { version: entry.version, value: new TextDecoder().decode(entry.value) };
      this.#recorder.answered(place, atMs, key, found);
      return true;
    } catch (error) {
      if (error instanceof MeshkvError) return false;
      throw error;
    }
  }

  async #write(subject: Subject, intents: readonly Intent[], replicas: number): Promise<boolean> {
    const place = Recorder.placeOf(subject);
    const atMs = performance.now();
    const end = (outcome: WriteResult["outcome"], versions: readonly string[] = []): void => {
      const results = intents.map((intent, index) => ({
        ...intent,
        outcome,
        version: versions[index] ?? "",
      }));
      this.#recorder.wrote(place, atMs, replicas, results);
    };
    try {
      const request = {
        writes: intents.map(writeOf),
        concern: { kind: { case: "replicas" as const, value: replicas } },
      };
      const { versions } = await subject.process.client.call(KeyValue.method.batch, request, CALL_MS_MAX);
      end("ok", versions);
      return true;
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      end(REFUSALS.has(error.code) || NEVER_SENT.test(error.message) ? "fail" : "unknown");
      return false;
    }
  }
}

type WriteInit = NonNullable<MessageInitShape<(typeof KeyValue.method.batch)["input"]>["writes"]>[number];

function writeOf({ key, value }: Intent): WriteInit {
  const target = bytesOf(key);
  if (value === undefined) {
    return { kind: { case: "delete", value: { target: { case: "key", value: target } } } };
  }
  return { kind: { case: "set", value: { key: target, value: bytesOf(value) } } };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
