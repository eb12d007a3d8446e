import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type KV, type NatsConnection, StorageType } from "nats";
import { Child, freePort } from "./child.ts";

const CONNECTIONS = 8;

/** A nats-server with JetStream on files. It answers before the disk has it (`sync_interval` is two minutes). */
export class NatsServer {
  readonly #child: Child;
  readonly #connections: readonly NatsConnection[];
  readonly #buckets: readonly KV[];

  private constructor(child: Child, connections: readonly NatsConnection[], buckets: readonly KV[]) {
    this.#child = child;
    this.#connections = connections;
    this.#buckets = buckets;
  }

  static async start(folder: string): Promise<NatsServer> {
    const port = await freePort();
    const config = join(folder, "nats.conf");
    await writeFile(
      config,
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, "nats")}" }\n`,
    );
    const child = new Child(["nats-server", "-c", config], folder);
    const servers = `127.0.0.1:${port}`;
    await child.ready(async () => (await connect({ servers, reconnect: false })).close());
    const connections: NatsConnection[] = [];
    const buckets: KV[] = [];
    for (let index = 0; index < CONNECTIONS; index += 1) {
      const connection = await connect({ servers });
      connections.push(connection);
      buckets.push(await connection.jetstream().views.kv("bench", { history: 1, storage: StorageType.File }));
    }
    return new NatsServer(child, connections, buckets);
  }

  /** Calls per second of 8 connections with so many callers each, for some seconds. */
  async throughput(
    callers: number,
    seconds: number,
    call: (bucket: KV) => Promise<unknown>,
  ): Promise<number> {
    const startMs = performance.now();
    const endMs = startMs + seconds * 1000;
    let count = 0;
    const run = async (bucket: KV): Promise<void> => {
      while (performance.now() < endMs) {
        await call(bucket);
        count += 1;
      }
    };
    await Promise.all(this.#buckets.flatMap((bucket) => Array.from({ length: callers }, () => run(bucket))));
    return count / ((performance.now() - startMs) / 1000);
  }

  get processorSeconds(): number {
    return this.#child.processorSeconds;
  }

  async end(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await this.#child.end();
  }
}
