/** A `meshkv server` as a process of its own, with everything that a test does to it. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { StatusResponse_State, type StatusResponse } from "@meshkv/protocol";
import { eventually } from "./eventually.ts";
import { MeshClient } from "./mesh-client.ts";
import { spawnMeshkv } from "./meshkv-binary.ts";

/** What a server is started with. */
export interface ServerSpec {
  /** Short name for logs. */
  readonly name: string;
  readonly port: number;
  /** Working directory, and home of data directories. */
  readonly folder: string;
  /** Ports of the peers that the command line names. */
  readonly peers: readonly number[];
  /** Further arguments. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What of a start can differ from the specification. */
export interface StartOptions {
  readonly peers?: readonly number[];
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** One server, across all its starts. */
export class ServerProcess {
  readonly name: string;
  readonly port: number;
  readonly client: MeshClient;
  /** The data directory of the next start. */
  data: string;
  readonly #spec: ServerSpec;
  #child: ChildProcess | undefined;
  #log = "";
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(spec: ServerSpec) {
    this.#spec = spec;
    this.name = spec.name;
    this.port = spec.port;
    this.data = join(spec.folder, spec.name);
    this.client = new MeshClient(this.address);
  }

  /** `host:port` of clients and peers. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Everything that all runs have printed. */
  get log(): string {
    return this.#log;
  }

  /** The process id. Throws when the server does not run. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the process, and does not wait for anything. */
  launch({ peers = this.#spec.peers, args = [], environment = {} }: StartOptions = {}): void {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already`);
    const words = ["server", "--ip", this.address, "--data", this.data, ...(this.#spec.args ?? []), ...args];
    const child = spawnMeshkv([...words, ...peers.map((port) => `127.0.0.1:${port}`)], {
      cwd: this.#spec.folder,
      // Most tests do without HTTP, and then it should take no time and no port.
      environment: { MESHKV_HTTP: "off", ...this.#spec.environment, ...environment },
    });
    this.#child = child;
    this.#log += `--- ${this.name} starts: process ${child.pid}\n`;
    child.stdout?.on("data", (chunk: Buffer) => (this.#log += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#exited = once(child, "close").then(([code, signal]) => {
      this.#log += `--- ${this.name} ended: ${String(code ?? signal)}\n`;
      if (this.#child === child) this.#child = undefined;
      return code as number | null;
    });
  }

  /** Starts the process and waits until it serves. */
  async start(options: StartOptions = {}): Promise<void> {
    this.launch(options);
    await this.ready();
  }

  /** Waits until the server answers and is ready; fails at once when the process has ended. */
  async ready(timeoutMs?: number): Promise<StatusResponse> {
    const check = async (): Promise<StatusResponse | undefined> => {
      if (this.#child === undefined) return undefined;
      const found = await this.client.status();
      if (found.state !== StatusResponse_State.READY)
        throw new Error(`state ${found.state}: ${found.stateReason}`);
      return found;
    };
    const status = await eventually(`${this.name} is ready`, check, timeoutMs);
    if (status === undefined) throw new Error(`${this.name} ended instead of serving:\n${this.#log}`);
    return status;
  }

  /** Waits until something is in the log of this server. */
  async logged(pattern: RegExp): Promise<void> {
    await eventually(`${this.name} logs ${String(pattern)}`, () => {
      if (!pattern.test(this.#log)) throw new Error("it does not");
    });
  }

  /** Bytes of memory that the process has now. */
  memoryBytes(): number {
    return Number(execFileSync("ps", ["-o", "rss=", "-p", String(this.pid)], { encoding: "utf8" })) * 1024;
  }

  /** Sends a signal to the process. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Resolves to the exit code when the process has ended; null when a signal ended it. */
  exited(): Promise<number | null> {
    return this.#exited;
  }

  /** Ends the process at once, as `kill -9` does. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    this.signal("SIGKILL");
    await this.#exited;
  }

  /** Ends the process in order; resolves to its exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.#exited;
  }

  /** Kills the process and closes the client. */
  async close(): Promise<void> {
    await this.kill();
    this.client.close();
  }
}
