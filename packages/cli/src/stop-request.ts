/** How a process is asked to end, by signals or by the process that started it. */

/** Ctrl-C under npm arrives twice, from the terminal and from npm; within this time it is one request. */
const ECHO_MS = 250;

/** A request to end: politely at first, at once when it is repeated. */
export class StopRequest {
  readonly #polite = new AbortController();
  readonly #forced = new AbortController();
  #firstAtMs = 0;
  #firstSignal: NodeJS.Signals | undefined;

  /** Aborted by the first request: finish what is under way. */
  get polite(): AbortSignal {
    return this.#polite.signal;
  }

  /** Aborted by the second request, just before the process ends. */
  get forced(): AbortSignal {
    return this.#forced.signal;
  }

  /** The exit code of a process that was ended by the first signal: 130 for Ctrl-C. */
  get exitCode(): number {
    return this.#firstSignal === "SIGTERM" ? 143 : 130;
  }

  /** Takes one request; returns whether the process is to end at once. */
  request(signal: NodeJS.Signals, nowMs: number): boolean {
    if (this.#firstSignal === undefined) {
      this.#firstSignal = signal;
      this.#firstAtMs = nowMs;
      this.#polite.abort();
      return false;
    }
    const isEcho = signal === "SIGINT" && this.#firstSignal === "SIGINT" && nowMs - this.#firstAtMs < ECHO_MS;
    if (isEcho) return false;
    this.#forced.abort();
    return true;
  }
}

/** Resolves when the signal is aborted; at once if it already is. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
