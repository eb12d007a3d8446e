/** How long it takes until others see a write, after it was acknowledged. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { create, KeyValue, PipelineRequestSchema } from "@meshkv/protocol";
import { GrpcClient } from "../servers/grpc.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const VALUE = new Uint8Array(100).fill(0x76);

/** Seconds of writing that are not counted. */
const WARM_SECONDS = 3;

/** Waits for `synced` and leaves the rest to the listener. */
async function synced(stream: ReturnType<typeof watchOf>): Promise<void> {
  for (;;) {
    const [reply] = (await once(stream, "data")) as [{ readonly synced: boolean }];
    if (reply.synced) return;
  }
}

function watchOf(client: GrpcClient, target: "key" | "prefix", text: string) {
  return client.stream(KeyValue.method.watch, { target: { case: target, value: encoder.encode(text) } });
}

/**
 * Writes at one server at a steady rate, watches another, and returns the milliseconds from acknowledgement to the
 * event there; 0 where the event came first. Before that it writes for some seconds that are not counted: in these the
 * servers and this process compile what they run.
 */
export async function replicationDelays(
  writer: string,
  reader: string,
  ratePerSecond: number,
  seconds: number,
): Promise<number[]> {
  const [from, to] = [new GrpcClient(writer), new GrpcClient(reader)];
  const watch = watchOf(to, "prefix", "delay/");
  watch.on("error", () => undefined);
  await synced(watch);
  const acknowledgedMs = new Map<number, number>();
  const seenMs = new Map<number, number>();
  const delays: number[] = [];
  const warm = ratePerSecond * WARM_SECONDS;
  const total = warm + ratePerSecond * seconds;
  let matched = 0;
  const match = (number: number): void => {
    const [acknowledged, seen] = [acknowledgedMs.get(number), seenMs.get(number)];
    if (acknowledged === undefined || seen === undefined) return;
    matched += 1;
    if (number > warm) delays.push(Math.max(0, seen - acknowledged));
    acknowledgedMs.delete(number);
    seenMs.delete(number);
  };
  watch.on("data", ({ events }) => {
    const nowMs = performance.now();
    for (const { entry } of events) {
      const number = Number(decoder.decode(entry?.key).slice("delay/".length));
      seenMs.set(number, nowMs);
      match(number);
    }
  });
  const stream = from.pipeline();
  const failed = new Promise<never>((_resolve, reject) => stream.on("error", reject));
  stream.on("data", ({ results }) => {
    const nowMs = performance.now();
    for (const { id } of results) {
      acknowledgedMs.set(id, nowMs);
      match(id);
    }
  });
  const startMs = performance.now();
  for (let id = 1; id <= total; ) {
    const dueMs = ((performance.now() - startMs) / 1000) * ratePerSecond;
    const operations = [];
    for (; id <= Math.min(dueMs, total); id += 1) {
      const kind = { case: "set" as const, value: { key: encoder.encode(`delay/${id}`), value: VALUE } };
      operations.push({ id, kind });
    }
    if (operations.length > 0) stream.write(create(PipelineRequestSchema, { operations }));
    await Promise.race([sleep(1), failed]);
  }
  const endMs = performance.now() + 30_000;
  while (matched < total && performance.now() < endMs) await sleep(10);
  if (matched < total) throw new Error(`${total - matched} of ${total} writes were not seen`);
  stream.end();
  watch.cancel();
  from.close();
  to.close();
  return delays;
}
