/** meshkv servers, as a user starts them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Mesh, Member_State, type StatusResponse, StatusResponse_State } from "@meshkv/protocol";
import { setTimeout as sleep } from "node:timers/promises";
import { Child, freePort } from "./child.ts";
import { GrpcClient } from "./grpc.ts";
import { MetricsPage } from "./metrics.ts";

/** The command as it was built beside this package. */
const BINARY = join(fileURLToPath(new URL("../../../cli/", import.meta.url)), "bin/meshkv.js");
const WAIT_MS_MAX = 600_000;

/** How a server is started. */
export interface MeshkvOptions {
  /** Where data directories are made. */
  readonly folder: string;
  readonly name: string;
  /** Peers to be named. */
  readonly peers?: readonly MeshkvServer[];
  /** Runs on the core of servers; peers of one that is measured run elsewhere. */
  readonly isPinned?: boolean;
}

/** One server; it keeps its ports and its directory over restarts. */
export class MeshkvServer {
  readonly address: string;
  readonly client: GrpcClient;
  readonly #httpPort: number;
  readonly #options: MeshkvOptions;
  #child: Child | undefined;

  private constructor(options: MeshkvOptions, port: number, httpPort: number) {
    this.#options = options;
    this.address = `127.0.0.1:${port}`;
    this.#httpPort = httpPort;
    this.client = new GrpcClient(this.address);
  }

  static async start(options: MeshkvOptions): Promise<MeshkvServer> {
    const server = new MeshkvServer(options, await freePort(), await freePort());
    await server.start();
    return server;
  }

  /** Starts the process and waits until it serves. */
  async start(): Promise<void> {
    const { folder, name, peers = [], isPinned = true } = this.#options;
    const addresses = ["--ip", this.address, "--http", `127.0.0.1:${this.#httpPort}`];
    const command = [process.execPath, BINARY, "server", ...addresses, "--data", join(folder, name)];
    this.#child = new Child([...command, ...peers.map(({ address }) => address)], folder, isPinned);
    await this.#child.ready(async () => {
      const { state } = await this.status();
      if (state !== StatusResponse_State.READY) throw new Error(`state ${state}`);
    });
  }

  status(): Promise<StatusResponse> {
    return this.client.call(Mesh.method.status, {}, 5000);
  }

  /** Waits until this server has so many members in reach, itself included. */
  async members(count: number): Promise<void> {
    await waitFor(`${count} members`, async () => {
      const { members } = await this.status();
      const inReach = members.filter(
        ({ state }) => state === Member_State.SELF || state === Member_State.CONNECTED,
      );
      return inReach.length === count;
    });
  }

  /** Waits until the digest of this server is that of another that is at rest. */
  async sameAs(other: MeshkvServer): Promise<void> {
    await waitFor("one digest", async () => {
      const [mine, theirs] = await Promise.all([this.status(), other.status()]);
      return mine.digest === theirs.digest;
    });
  }

  get residentBytes(): number {
    return this.#child?.residentBytes ?? 0;
  }

  get processorSeconds(): number {
    return this.#child?.processorSeconds ?? 0;
  }

  /** The sum of a metric over its labels that match, as the server counts it. */
  async metric(name: string, labels?: RegExp): Promise<number> {
    return (await this.metrics()).sum(name, labels);
  }

  /** All that the server counts, as it is now. */
  metrics(): Promise<MetricsPage> {
    return MetricsPage.read(`http://127.0.0.1:${this.#httpPort}/metrics`);
  }

  /** What LevelDB has written to its own log since the last start of the server. */
  engineLog(): Promise<string> {
    return readFile(join(this.#options.folder, this.#options.name, "engine", "LOG"), "utf8");
  }

  /** Sends the process a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void {
    this.#child?.signal(name);
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    await this.#child?.end(signal);
    this.#child = undefined;
  }
}

async function waitFor(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!(await isTrue().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(10);
  }
}

/** Starts servers that name each other; the first alone on the core of servers. */
export async function startMesh(folder: string, count: number, name: string): Promise<MeshkvServer[]> {
  const servers: MeshkvServer[] = [];
  for (let index = 0; index < count; index += 1) {
    const options = { folder, name: `${name}-${index}`, peers: [...servers], isPinned: index === 0 };
    servers.push(await MeshkvServer.start(options));
  }
  await Promise.all(servers.map((server) => server.members(count)));
  return servers;
}
