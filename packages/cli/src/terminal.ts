import type { Readable, Writable } from "node:stream";
import picocolors from "picocolors";

/** The streams and the environment of a process, or a test's own. */
export interface ProcessStreams {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Whoever read our standard output has gone: the end of the work, and no failure. */
export class OutputClosedError extends Error {
  override name = "OutputClosedError";
}

type Colors = ReturnType<typeof picocolors.createColors>;

/**
 * Where a verb reads and writes. Data goes to standard output, everything that is told to a person to standard error.
 */
export class Terminal {
  readonly stdin: Readable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a terminal: then `get` ends its value with a newline. */
  readonly isInteractive: boolean;
  /** Whether a person reads standard error. */
  readonly isPersonReading: boolean;
  /** Width of standard output in characters; undefined: no terminal. */
  readonly columns: number | undefined;
  /** Colours for standard error; they do nothing unless it is a terminal that wants them. */
  readonly colors: Colors;
  readonly #stdout: Writable;
  readonly #stderr: Writable;
  #isOutputClosed = false;

  constructor({ stdin, stdout, stderr, environment }: ProcessStreams) {
    this.stdin = stdin;
    this.environment = environment;
    this.isInteractive = stdout.isTTY === true;
    this.isPersonReading = stderr.isTTY === true;
    this.columns = stdout.columns;
    this.colors = picocolors.createColors(stderr.isTTY === true && wantsColors(environment));
    this.#stdout = stdout;
    this.#stderr = stderr;
    stdout.on("error", (error) => {
      if (!isBrokenPipe(error)) throw error;
      this.#isOutputClosed = true;
    });
    // Without a reader of our messages the work goes on: a server must not die with the program that keeps its log.
    stderr.on("error", (error) => {
      if (!isBrokenPipe(error)) throw error;
    });
  }

  /** Writes data to standard output, and waits while it is full; throws {@link OutputClosedError} when nobody reads. */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#isOutputClosed) throw new OutputClosedError("standard output is closed");
    if (!this.#stdout.write(data)) await this.flush();
  }

  /** Waits until everything that was written to standard output has been handed over, or nobody reads any more. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#isOutputClosed || this.#stdout.destroyed) resolve();
      else this.#stdout.write("", () => resolve());
    });
  }

  /** Writes one JSON object and a newline to standard output. */
  async writeJson(object: object): Promise<void> {
    await this.write(`${JSON.stringify(object)}\n`);
  }

  /** Writes one or more lines to standard error. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`);
  }
}

function wantsColors(environment: ProcessStreams["environment"]): boolean {
  const { NO_COLOR: noColor, TERM: term } = environment;
  return (noColor === undefined || noColor === "") && term !== "dumb";
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}
