import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Child, freePort, pinned } from "./child.ts";

const run = promisify(execFile);
const RUN_MS_MAX = 120_000;

async function answersPing(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.write("PING\r\n");
    const [reply] = (await once(socket, "data")) as [Buffer];
    if (!reply.toString().startsWith("+PONG")) throw new Error(`redis says: ${reply.toString()}`);
  } finally {
    socket.destroy();
  }
}

/** When redis makes its log durable. */
export type AppendFsync = "always" | "everysec";

/** A redis-server with an append-only file. */
export class RedisServer {
  readonly #port: number;
  readonly #child: Child;

  private constructor(port: number, child: Child) {
    this.#port = port;
    this.#child = child;
  }

  static async start(folder: string, appendfsync: AppendFsync): Promise<RedisServer> {
    const port = await freePort();
    const directory = join(folder, `redis-${appendfsync}`);
    await mkdir(directory);
    const files = ["--dir", directory, "--appendonly", "yes", "--appendfsync", appendfsync, "--save", ""];
    const command = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", ...files];
    const child = new Child(command, directory);
    const server = new RedisServer(port, child);
    // redis-benchmark waits for ever where nobody listens yet.
    await child.ready(() => answersPing(port));
    return server;
  }

  /** Operations per second of redis-benchmark: 8 connections, keys out of 100,000, values of 100 bytes. */
  async throughput(operation: "get" | "set", pipeline: number, count: number): Promise<number> {
    const [program, args] = pinned(
      "load",
      [
        ["redis-benchmark", "-p", String(this.#port), "-t", operation, "--csv"],
        ["-c", "8", "-P", String(pipeline), "-n", String(count), "-r", "100000", "-d", "100"],
      ].flat(),
    );
    const { stdout } = await run(program, args, { timeout: RUN_MS_MAX });
    const rate = /"(?:GET|SET)","([0-9.]+)"/.exec(stdout)?.[1];
    if (rate === undefined) throw new Error(`redis-benchmark says: ${stdout}`);
    return Number(rate);
  }

  async end(): Promise<void> {
    await this.#child.end();
  }
}
