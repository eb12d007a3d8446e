/** Runs a command line in this process, with streams that a test can read. */
import { PassThrough, Readable } from "node:stream";
import { runProgram } from "../src/program.ts";
import { StopRequest } from "../src/stop-request.ts";
import type { Supervisor } from "../src/supervisor.ts";
import { Terminal } from "../src/terminal.ts";

/** What a run left behind. */
export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  /** Standard output as it was, for values that are not text. */
  readonly stdoutBytes: Uint8Array;
  readonly stderr: string;
}

/** What a run is given. */
export interface CliRunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly isTerminal?: boolean;
  readonly stop?: StopRequest;
  readonly supervisor?: Supervisor;
  /** Told what was written to standard error, as it is written. */
  readonly onError?: (text: string) => void;
}

/** Runs `meshkv` with the arguments. */
export async function runCli(args: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  stdout.on("data", (chunk: Buffer) => output.push(chunk));
  stderr.on("data", (chunk: Buffer) => {
    errors.push(chunk);
    options.onError?.(chunk.toString());
  });
  if (options.isTerminal === true) {
    Object.assign(stdout, { isTTY: true });
    Object.assign(stderr, { isTTY: true });
  }
  const terminal = new Terminal({
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout,
    stderr,
    environment: options.environment ?? {},
  });
  const exitCode = await runProgram(args, {
    terminal,
    stop: options.stop ?? new StopRequest(),
    supervisor: options.supervisor,
    wantsJson: false,
    exitCode: 0,
  });
  await new Promise((resolve) => stdout.end(resolve));
  await new Promise((resolve) => stderr.end(resolve));
  const stdoutBytes = Buffer.concat(output);
  return { exitCode, stdout: stdoutBytes.toString(), stdoutBytes, stderr: Buffer.concat(errors).toString() };
}
