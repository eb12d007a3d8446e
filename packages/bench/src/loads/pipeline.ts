/** Many operations in flight on Pipeline streams. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type MessageInitShape,
  type OperationSchema,
  PipelineRequestSchema,
  toBinary,
} from "@meshkv/protocol";
import { GrpcClient } from "../servers/grpc.ts";
import { countResults } from "./pipeline-reply.ts";

/** One operation without its id. */
export type OperationKind = MessageInitShape<typeof OperationSchema>["kind"];

/** How a pipeline is driven. */
export interface PipelineLoad {
  readonly address: string;
  /** Streams, each on a connection of its own. */
  readonly streams: number;
  /** Operations of one message. */
  readonly perMessage: number;
  /** Messages of a stream that are in flight. */
  readonly inFlight: number;
  /** Makes the next operation. */
  readonly next: () => NonNullable<OperationKind>;
}

/** Messages that are made before a load of throughput, and sent in turn: encoding is no part of what is measured. */
const PREPARED = 256;

/** One message of operations, whose ids are unique among the prepared messages. */
function encodeMessage({ next, perMessage }: PipelineLoad, index: number): Uint8Array {
  const operations = Array.from({ length: perMessage }, (_, at) => ({
    id: index * perMessage + at + 1,
    kind: next(),
  }));
  return toBinary(PipelineRequestSchema, create(PipelineRequestSchema, { operations }));
}

/**
 * Drives pipelines until `isOver` says so after a whole message; returns the number of results. An error result ends the
 * load. `message` gives the next encoded message, `onResults` is told how many results a reply brought.
 */
async function drive(
  load: PipelineLoad,
  message: () => Uint8Array,
  isOver: () => boolean,
  onResults: (count: number) => void,
): Promise<number> {
  let results = 0;
  const streams = Array.from({ length: load.streams }, async () => {
    const client = new GrpcClient(load.address);
    const stream = client.rawPipeline();
    let waiting = 0;
    const send = (): void => {
      waiting += load.perMessage;
      stream.write(message());
    };
    const failed = new Promise<never>((_resolve, reject) => stream.on("error", reject));
    stream.on("data", (reply: Buffer) => {
      let count: number;
      try {
        count = countResults(reply);
      } catch (error) {
        stream.destroy(error as Error);
        return;
      }
      onResults(count);
      results += count;
      waiting -= count;
      while (!isOver() && waiting <= load.perMessage * (load.inFlight - 1)) send();
      if (isOver() && waiting === 0) stream.end();
    });
    for (let number = 0; number < load.inFlight; number += 1) send();
    await Promise.race([once(stream, "end"), failed]);
    client.close();
  });
  await Promise.all(streams);
  return results;
}

/** Operations per second, over some seconds after a warm-up; and how many there were in all. */
export async function pipelineThroughput(
  load: PipelineLoad,
  seconds: number,
): Promise<{ readonly rate: number; readonly results: number }> {
  const messages = Array.from({ length: PREPARED }, (_, index) => encodeMessage(load, index));
  let sent = 0;
  const message = (): Uint8Array => {
    sent += 1;
    return messages[sent % PREPARED] ?? new Uint8Array(0);
  };
  const warmUntilMs = performance.now() + 500;
  const endMs = warmUntilMs + seconds * 1000;
  let counted = 0;
  const results = await drive(
    load,
    message,
    () => performance.now() >= endMs,
    (count) => {
      const nowMs = performance.now();
      if (nowMs >= warmUntilMs && nowMs < endMs) counted += count;
    },
  );
  return { rate: counted / seconds, results };
}

/** Runs so many operations, in whole messages; returns the milliseconds it took. */
export async function pipelineCount(load: PipelineLoad, count: number): Promise<number> {
  const startMs = performance.now();
  let sent = 0;
  const message = (): Uint8Array => {
    sent += load.perMessage;
    return encodeMessage(load, sent / load.perMessage);
  };
  await drive(
    load,
    message,
    () => sent >= count,
    () => undefined,
  );
  return performance.now() - startMs;
}

/** Operations that come one by one at a steady rate; tells the id of each, from 1 on, and its latency in milliseconds. */
export async function steadyLoad(
  { address, next }: Pick<PipelineLoad, "address" | "next">,
  ratePerSecond: number,
  seconds: number,
  onResult: (id: number, latencyMs: number) => void,
): Promise<void> {
  const client = new GrpcClient(address);
  const stream = client.pipeline();
  const sentMs = new Map<number, number>();
  stream.on("data", (reply) => {
    const nowMs = performance.now();
    for (const { id } of reply.results) {
      onResult(id, nowMs - (sentMs.get(id) ?? nowMs));
      sentMs.delete(id);
    }
  });
  const failed = new Promise<never>((_resolve, reject) => stream.on("error", reject));
  const startMs = performance.now();
  for (let id = 1; id <= ratePerSecond * seconds; ) {
    const dueMs = ((performance.now() - startMs) / 1000) * ratePerSecond;
    for (; id <= dueMs; id += 1) {
      sentMs.set(id, performance.now());
      stream.write(create(PipelineRequestSchema, { operations: [{ id, kind: next() }] }));
    }
    await Promise.race([sleep(1), failed]);
  }
  stream.end();
  await Promise.race([once(stream, "end"), failed]);
  client.close();
}

/** Latencies of a steady load, in milliseconds. */
export async function latencies(
  load: Pick<PipelineLoad, "address" | "next">,
  ratePerSecond: number,
  seconds: number,
): Promise<number[]> {
  const samples: number[] = [];
  await steadyLoad(load, ratePerSecond, seconds, (_id, latencyMs) => samples.push(latencyMs));
  return samples;
}
