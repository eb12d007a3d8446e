/**
 * Ports for the servers of tests, which no other test gets: not in this process, and not in another that runs at the same time.
 * A process owns a block of ports for as long as it listens on the first of them; when it ends, however it does, the block is
 * free again. A port stays its owner's while the server that used it is down, to come back later.
 */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections, so that none of those takes one before it is used. */
const PORT_MIN = 15_000;
const PORT_MAX = 32_000;
const BLOCK_PORTS = 50;
const BLOCKS = (PORT_MAX - PORT_MIN) / BLOCK_PORTS;

/** Ports of this process that were not given out yet. */
const left: number[] = [];
let granting: Promise<unknown> = Promise.resolve();

/** Ports of loopback that nobody listens on. */
export function freePorts(count: number): Promise<number[]> {
  // One after the other, so that two callers at once take one block, and not two.
  const granted = granting.then(() => grant(count));
  granting = granted.catch(() => undefined);
  return granted;
}

async function grant(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = left.shift();
    if (port === undefined) left.push(...(await ownBlock()));
    // Somebody who knows nothing of blocks may be there.
    else if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** A number of this process below 340 that no other has while it runs, for ports that must be somewhere else. */
export async function ownNumber(): Promise<number> {
  const [port = PORT_MIN] = await freePorts(1);
  return Math.floor((port - PORT_MIN) / BLOCK_PORTS);
}

/** Takes a block that nobody owns; its ports. */
async function ownBlock(): Promise<number[]> {
  for (;;) {
    const first = PORT_MIN + BLOCK_PORTS * Math.floor(Math.random() * BLOCKS);
    const lock = await listenOn(first);
    // It is held until the process ends, and keeps it from ending no longer.
    lock?.unref();
    if (lock !== undefined) return Array.from({ length: BLOCK_PORTS - 1 }, (_, index) => first + 1 + index);
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = await listenOn(port);
  if (probe === undefined) return false;
  probe.close();
  await once(probe, "close");
  return true;
}

async function listenOn(port: number): Promise<ReturnType<typeof createServer> | undefined> {
  const server = createServer().listen({ host: "127.0.0.1", port, exclusive: true });
  try {
    await once(server, "listening");
  } catch {
    return undefined;
  }
  return server;
}
