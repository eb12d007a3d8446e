/** Many operations in flight on Pipeline streams. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape, type OperationSchema, PipelineRequestSchema } from "@meshkv/protocol";
import { GrpcClient } from "../servers/grpc.ts";

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

/** Tells of every result; an error result ends the load. */
type OnResult = (sentMs: number) => void;

/** Drives pipelines until `isOver` says so after a whole message; returns the number of results. */
async function drive(load: PipelineLoad, isOver: () => boolean, onResult: OnResult): Promise<number> {
  let results = 0;
  const streams = Array.from({ length: load.streams }, async () => {
    const client = new GrpcClient(load.address);
    const stream = client.pipeline();
    const sentMs = new Map<number, number>();
    let id = 0;
    let waiting = 0;
    const send = (): void => {
      const nowMs = performance.now();
      const operations = Array.from({ length: load.perMessage }, () => {
        id += 1;
        sentMs.set(id, nowMs);
        return { id, kind: load.next() };
      });
      waiting += operations.length;
      stream.write(create(PipelineRequestSchema, { operations }));
    };
    const failed = new Promise<never>((_resolve, reject) => stream.on("error", reject));
    stream.on("data", (reply) => {
      for (const result of reply.results) {
        if (result.kind.case === "error") stream.destroy(new Error(result.kind.value.message));
        onResult(sentMs.get(result.id) ?? 0);
        sentMs.delete(result.id);
      }
      results += reply.results.length;
      waiting -= reply.results.length;
      while (!isOver() && waiting <= load.perMessage * (load.inFlight - 1)) send();
      if (isOver() && waiting === 0) stream.end();
    });
    for (let message = 0; message < load.inFlight; message += 1) send();
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
  const warmUntilMs = performance.now() + 500;
  const endMs = warmUntilMs + seconds * 1000;
  let counted = 0;
  const results = await drive(
    load,
    () => performance.now() >= endMs,
    () => {
      const nowMs = performance.now();
      if (nowMs >= warmUntilMs && nowMs < endMs) counted += 1;
    },
  );
  return { rate: counted / seconds, results };
}

/** Runs so many operations; returns the milliseconds it took. */
export async function pipelineCount(load: PipelineLoad, count: number): Promise<number> {
  const startMs = performance.now();
  let sent = 0;
  const next = (): NonNullable<OperationKind> => {
    sent += 1;
    return load.next();
  };
  await drive(
    { ...load, next },
    () => sent >= count,
    () => undefined,
  );
  return performance.now() - startMs;
}

/** Latencies of operations that come one by one at a steady rate, in milliseconds. */
export async function latencies(
  load: PipelineLoad,
  ratePerSecond: number,
  seconds: number,
): Promise<number[]> {
  const samples: number[] = [];
  const client = new GrpcClient(load.address);
  const stream = client.pipeline();
  const sentMs = new Map<number, number>();
  stream.on("data", (reply) => {
    const nowMs = performance.now();
    for (const { id } of reply.results) samples.push(nowMs - (sentMs.get(id) ?? nowMs));
  });
  const failed = new Promise<never>((_resolve, reject) => stream.on("error", reject));
  const startMs = performance.now();
  for (let id = 1; id <= ratePerSecond * seconds; ) {
    const dueMs = ((performance.now() - startMs) / 1000) * ratePerSecond;
    for (; id <= dueMs; id += 1) {
      sentMs.set(id, performance.now());
      stream.write(create(PipelineRequestSchema, { operations: [{ id, kind: load.next() }] }));
    }
    await Promise.race([sleep(1), failed]);
  }
  stream.end();
  await Promise.race([once(stream, "end"), failed]);
  client.close();
  return samples;
}
