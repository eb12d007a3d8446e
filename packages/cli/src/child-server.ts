import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isReadyMessage } from "./supervisor.ts";

const BINARY = fileURLToPath(new URL("../bin/meshkv.js", import.meta.url));

/** How a child is started and heard. */
export interface ChildServerOptions {
  /** The arguments after `meshkv`. */
  readonly args: readonly string[];
  /** Told every line that the child writes. */
  readonly onLine: (line: string) => void;
}

/** A server in a process of its own, for as long as this process lives. */
export class ChildServer {
  /** Resolves when the server says that it is up; never, if it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with a description of how the process ended, after its last line. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;

  constructor({ args, onLine }: ChildServerOptions) {
    const child = spawn(process.execPath, [BINARY, ...args], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A group of its own: Ctrl-C in the terminal reaches only us, and the child is told once, by us.
      detached: process.platform !== "win32",
    });
    this.#process = child;
    const outputs = [child.stdout, child.stderr].map(async (stream) => {
      if (stream !== null) for await (const line of createInterface({ input: stream })) onLine(line);
    });
    this.ready = new Promise((resolve) => {
      child.on("message", (message) => {
        if (isReadyMessage(message)) resolve();
      });
    });
    const exit = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      child.once("exit", (code, signal) => {
        resolve(signal === null ? `ended with exit code ${code ?? "unknown"}` : `was ended by ${signal}`);
      });
    });
    // Not the event "close": it never comes once this side has closed the channel.
    this.ended = Promise.all([exit, ...outputs]).then(([how]) => how);
  }

  /** Asks the server to end in order: it does when the channel closes. */
  stop(): void {
    if (this.#process.connected) this.#process.disconnect();
  }

  /** Ends the process at once. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
