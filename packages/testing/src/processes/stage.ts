/** Where an end to end test plays: servers, proxies and directories, all of which are gone when it ends. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "vitest";
import { freePorts } from "./free-ports.ts";
import { type BinaryRun, runMeshkv } from "./meshkv-binary.ts";
import { Network } from "./network.ts";
import { ServerProcess, type ServerSpec } from "./server-process.ts";

/** Servers that name each other, and the network between them. */
export interface TestMesh {
  readonly servers: readonly ServerProcess[];
  readonly network: Network;
}

/** How the servers of a mesh are to be. */
export interface MeshOptions {
  /** Which others (by index) each server names; all by default. */
  readonly peersOf?: (index: number) => readonly number[];
  readonly args?: readonly string[];
}

/** What a test with real processes may take on a machine that is busy with other things; usually it is seconds. */
export const STAGE_TEST_MS_MAX = 300_000;

/** The servers, proxies and files of one test. */
export class Stage {
  /** A directory of this test alone. */
  readonly folder: string;
  readonly #servers: ServerProcess[] = [];
  readonly #networks: Network[] = [];
  readonly #cleanups: (() => Promise<void>)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async set(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), "meshkv-e2e-")));
  }

  /** A server; it does not run yet. */
  server(spec: Omit<ServerSpec, "folder">): ServerProcess {
    const server = new ServerProcess({ ...spec, folder: this.folder });
    this.#servers.push(server);
    return server;
  }

  /** Servers that reach each other through proxies; none runs yet. They are named a, b, c, … */
  async mesh(count: number, { peersOf, args = [] }: MeshOptions = {}): Promise<TestMesh> {
    const ports = await freePorts(count);
    const network = await Network.between(ports);
    this.#networks.push(network);
    const servers = ports.map((port, index) => {
      const named = peersOf?.(index) ?? ports.map((_, other) => other).filter((other) => other !== index);
      return this.server({
        name: String.fromCharCode(97 + this.#servers.length),
        port,
        peers: named.map((other) => ports[other] ?? 0),
        args: ["-v", ...args],
        environment: network.environmentOf(port),
      });
    });
    return { servers, network };
  }

  /** Runs the command line to its end, in the test's directory. */
  run(...args: readonly string[]): Promise<BinaryRun> {
    return runMeshkv(args, { cwd: this.folder });
  }

  /** Does something at the end, before the directory goes. */
  atEnd(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** The logs of all servers. */
  get logs(): string {
    return this.#servers.map(({ name, log }) => `======== ${name}\n${log}`).join("\n");
  }

  /** Ends everything. */
  async strike(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    await Promise.all(this.#networks.map((network) => network.close()));
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A test with a stage of its own; when it fails, the logs of its servers are printed. */
export const stageTest = test.extend<{ stage: Stage }>({
  stage: async ({ task }, use) => {
    const stage = await Stage.set();
    try {
      await use(stage);
    } finally {
      await stage.strike();
      if (task.result?.state === "fail") process.stderr.write(`${stage.logs}\n`);
    }
  },
});
