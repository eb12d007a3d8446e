/**
 * Thousands of watchers, of which half never read: the server holds a position for each, not a queue, and writers notice
 * nothing. MESHKV_LONG=1 runs the long form: five thousand.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once, setMaxListeners } from "node:events";
import process from "node:process";
import {
  eventually,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  WatchClient,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

const IS_LONG = process.env["MESHKV_LONG"] === "1";
const WATCHERS = IS_LONG ? 5000 : 300;
const ROUNDS = IS_LONG ? 300 : 15;
const VALUE = "v".repeat(20_000);
const MIB = 1024 ** 2;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * A process that opens watches and then stands still: a client's library would take in what its program does not read.
 * The request is `prefix: "hot/"`.
 */
const DEAF_PROGRAM = `
const http2 = require("node:http2");
const [address, count] = process.argv.slice(1);
const frame = Buffer.from([0, 0, 0, 0, 6, 0x12, 4, 0x68, 0x6f, 0x74, 0x2f]);
let open = 0;
for (let begun = 0; begun < Number(count); begun += 800) {
  const session = http2.connect("http://" + address);
  for (let index = begun; index < Math.min(Number(count), begun + 800); index += 1) {
    const stream = session.request({
      ":method": "POST", ":path": "/meshkv.v1.KeyValue/Watch", "content-type": "application/grpc", te: "trailers",
    });
    stream.once("data", () => { open += 1; if (open === Number(count)) console.log("open"); });
    stream.end(frame);
  }
}`;

async function deafWatchers(address: string, count: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", DEAF_PROGRAM, address, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGSTOP");
  return child;
}

async function writeRounds(
  { client }: ServerProcess,
  rounds: number,
  values: readonly string[],
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const value of values) {
      const begun = performance.now();
      await client.set("hot/key", `${round}.${value}`);
      times.push(performance.now() - begun);
    }
  }
  return times.toSorted((a, b) => a - b);
}

describe("a crowd of watchers", { timeout: IS_LONG ? 3_600_000 : STAGE_TEST_MS_MAX }, () => {
  test("of which half never read costs positions, not queues", async ({ stage }) => {
    const { servers } = await stage.mesh(1);
    const [server] = servers as [ServerProcess];
    await server.start();
    await server.client.set("hot/key", "begin");
    const alone = await writeRounds(
      server,
      3,
      Array.from({ length: 10 }, () => VALUE),
    );
    // A connection carries a thousand streams at most.
    const clients = Array.from({ length: Math.ceil(WATCHERS / 800) }, () => new WatchClient(server.address));
    const deaf = await deafWatchers(server.address, WATCHERS / 2);
    stage.atEnd(async () => void deaf.kill("SIGKILL"));
    const reading = new WatchClient(server.address);
    const over = new AbortController();
    setMaxListeners(0, over.signal);
    const last = new Map<number, string>();
    const readers = Array.from({ length: WATCHERS / 2 }, async (_, index) => {
      const client = index === 0 ? reading : clients[index % clients.length];
      // All but one watch what hardly changes: this test is about those who do not read.
      const value = bytes(index === 0 ? "hot/key" : "cold/key");
      try {
        for await (const reply of client?.watch({ target: { case: "key", value } }, over.signal) ?? []) {
          for (const { entry } of reply.events)
            last.set(index, new TextDecoder().decode(entry?.value.subarray(0, 20)));
          if (!last.has(index)) last.set(index, "");
        }
      } catch {
        // Cancelled at the end.
      }
    });
    await eventually("all watch", () => {
      if (last.size < WATCHERS / 2) throw new Error(`${last.size} of ${WATCHERS / 2}`);
    });
    await writeRounds(server, 2, [VALUE]);
    const before = server.memoryBytes();
    const times = await writeRounds(
      server,
      ROUNDS,
      Array.from({ length: 10 }, () => VALUE),
    );
    const after = server.memoryBytes();
    await server.client.set("cold/key", "one for all");
    await server.client.set("hot/key", "the last");
    await eventually("all readers have the last", () => {
      const told = [...last].filter(
        ([index, text]) => text === (index === 0 ? "the last" : "one for all"),
      ).length;
      if (told < WATCHERS / 2) throw new Error(`${told} of ${WATCHERS / 2}`);
    });
    if (IS_LONG) {
      const p99 = (sorted: readonly number[]): string =>
        (sorted[Math.floor(sorted.length * 0.99)] ?? 0).toFixed(1);
      process.stderr.write(
        `${WATCHERS} watchers: memory ${Math.round(before / MIB)} MiB, after ${ROUNDS * 10} writes of 20 kB ${Math.round(after / MIB)} MiB; ` +
          `set p50 ${times[times.length >> 1]?.toFixed(1)} ms, p99 ${p99(times)} ms (alone ${alone[alone.length >> 1]?.toFixed(1)}, ${p99(alone)})\n`,
      );
    }
    // A queue would hold every write for each: 3 MB × 150, or 60 MB × 2,500.
    expect(after - before).toBeLessThan(IS_LONG ? 1024 * MIB : 200 * MIB);
    // All those who did not read go at once, in the middle of everything.
    const writing = writeRounds(server, 3, [VALUE, VALUE, VALUE]);
    deaf.kill("SIGKILL");
    over.abort();
    await writing;
    expect(await server.client.get("cold/key")).toBe("one for all");
    await Promise.all(readers);
    for (const client of [...clients, reading]) client.close();
  });
});
