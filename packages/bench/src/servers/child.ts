/** A server under test as a process of its own, bound to one core where the machine allows. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS_MAX = 60_000;

/** The first core serves, the others make load: so that every server has one core, and the same. */
const canPin = availableParallelism() > 1 && isInstalled("taskset");

/** Whether a program is on the path. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The first line that a program prints with these arguments. */
export function versionLine(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8" }).split("\n")[0] ?? "";
}

/** A command and its arguments, bound to the core of servers, or to those of load. */
export function pinned(role: "server" | "load", command: readonly string[]): [string, string[]] {
  const cores = role === "server" ? "0" : `1-${availableParallelism() - 1}`;
  const [program = "", ...args] = canPin ? ["taskset", "-c", cores, ...command] : command;
  return [program, args];
}

/** A port on which nobody listens now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A running process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = "";

  constructor(command: readonly string[], cwd: string, isPinned = true) {
    const [program, args] = isPinned ? pinned("server", command) : [command[0] ?? "", command.slice(1)];
    this.#process = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#process, "close");
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-4000);
    };
    this.#process.stdout?.on("data", keep);
    this.#process.stderr?.on("data", keep);
  }

  /** Waits until a check passes. */
  async ready(check: () => Promise<unknown>): Promise<void> {
    const endMs = performance.now() + START_MS_MAX;
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`a server ended at once:\n${this.#output}`);
      try {
        await check();
        return;
      } catch (error) {
        if (performance.now() > endMs)
          throw new Error(`a server does not answer: ${String(error)}\n${this.#output}`, { cause: error });
      }
      await sleep(10);
    }
  }

  /** Memory of the process, in bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Processor time that the process has used, in seconds: it says something also on a machine that is busy. */
  get processorSeconds(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8");
    // After the name in parentheses: utime and stime are the 12th and 13th, in hundredths.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Sends the process a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Ends the process and waits for that. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill(signal);
      const lastResort = setTimeout(() => this.#process.kill("SIGKILL"), 15_000);
      await this.#exited;
      clearTimeout(lastResort);
    }
  }
}
