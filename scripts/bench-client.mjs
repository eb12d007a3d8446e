#!/usr/bin/env node
/**
 * What sharing a stream brings: 256 callers of one client, each setting one key after the other, durably, with pipelining and
 * without, by turns. Against a replica of its own, or `node scripts/bench-client.mjs HOST:PORT [SECONDS]`. Build first.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "@meshkv/client";

const CALLERS = 256;
const ROUNDS = 3;
const BINARY = fileURLToPath(new URL("../packages/cli/bin/meshkv.js", import.meta.url));

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Sets per second. */
async function measure(address, seconds, pipelining) {
  const kv = await connect(address, { pipelining, connectTimeout: "30s" });
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let count = 0;
  const caller = async (name) => {
    for (let index = 0; performance.now() < endMs; index += 1) {
      await kv.set(`bench/${name}/${index % 50}`, { index });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => caller(index)));
  const elapsedMs = performance.now() - startMs;
  await kv.close();
  return count / (elapsedMs / 1000);
}

async function run(address, seconds) {
  await measure(address, 1, false);
  await measure(address, 1, true);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const off = await measure(address, seconds, false);
    const on = await measure(address, seconds, true);
    const figures = `${Math.round(off)} sets/s one by one, ${Math.round(on)} sets/s pipelined`;
    console.log(`round ${round}: ${figures}: ${(on / off).toFixed(1)} times`);
  }
}

const [given, seconds = "3"] = process.argv.slice(2);
if (given !== undefined) await run(given, Number(seconds));
else {
  const folder = await mkdtemp(join(tmpdir(), "meshkv-bench-"));
  const address = `127.0.0.1:${await freePort()}`;
  const server = spawn(
    process.execPath,
    [BINARY, "server", "--ip", address, "--http", "off", "--data", folder],
    {
      stdio: "ignore",
    },
  );
  try {
    await run(address, Number(seconds));
  } finally {
    const ended = new Promise((resolve) => server.once("close", resolve));
    server.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}
