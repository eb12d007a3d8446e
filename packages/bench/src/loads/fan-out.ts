/** How long it takes until many watchers of one key have been told of a write. */
import { setTimeout as sleep } from "node:timers/promises";
import { KeyValue } from "@meshkv/protocol";
import { GrpcClient } from "../servers/grpc.ts";
import { RawWatches } from "../servers/raw-watch.ts";

const CONNECTIONS = 10;
const WAIT_MS_MAX = 60_000;
const KEY = new TextEncoder().encode("fan-out");

/**
 * Writes one key again and again; returns the milliseconds from the sending of each write to the event at each watcher.
 * The watchers are spread over ten connections; `onLive` is called when all of them watch.
 */
export async function fanOutDelays(
  address: string,
  watchers: number,
  writes: number,
  onLive = (): void => undefined,
): Promise<number[]> {
  const connections = Array.from({ length: CONNECTIONS }, () => new RawWatches(address));
  const writer = new GrpcClient(address);
  const delays: number[] = [];
  let seen = 0;
  let sentMs = performance.now();
  let ended: string | undefined;
  const allSeen = async (count: number): Promise<void> => {
    const endMs = performance.now() + WAIT_MS_MAX;
    while (seen < count) {
      if (ended !== undefined) throw new Error(`a watch has ended: ${ended}`);
      if (performance.now() > endMs) throw new Error(`${count - seen} watchers were not told`);
      await sleep(1);
    }
    if (seen > count) throw new Error(`${seen - count} messages too many`);
  };
  try {
    for (let index = 0; index < watchers; index += 1) {
      connections[index % CONNECTIONS]?.watch(
        { target: { case: "key", value: KEY } },
        () => {
          seen += 1;
          delays.push(performance.now() - sentMs);
        },
        (reason) => {
          ended ??= reason;
        },
      );
    }
    // The first message of each says that it is live.
    await allSeen(watchers);
    delays.length = 0;
    onLive();
    for (let write = 1; write <= writes; write += 1) {
      const value = new TextEncoder().encode(String(write));
      sentMs = performance.now();
      await writer.call(KeyValue.method.set, { key: KEY, value });
      await allSeen(watchers * (write + 1));
    }
    return delays;
  } finally {
    for (const connection of connections) connection.close();
    writer.close();
  }
}
