/**
 * Watchers of this process: drives the core's cursors with rows, time and patience. Nothing is queued for a watcher: what
 * it does not ask for stays where it is.
 */
import { decodeWatchToken, invariant, MeshkvError, type WatchCursor, WATCHERS_MAX } from "@meshkv/core";
import type { LocalWatch, LocalWatchRequest, WatchPage } from "../handlers/local-replica.ts";
import type { Run } from "./run.ts";

/** Watchers that may read logs or tables at a time: each holds a chunk of rows of every origin meanwhile. */
const READERS_MAX = 16;
/** How long a watcher waits for this replica to have what it was shown elsewhere, in milliseconds. */
const BEHIND_MS_MAX = 5000;

/** Lets a bounded number in, the others in their order. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  enter(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** All watchers of a process. */
export class LocalWatches {
  readonly #readers = new Gate(READERS_MAX);
  readonly #open = new Set<Watch>();
  #observed: Run | undefined;

  /** How many watch now. */
  get size(): number {
    return this.#open.size;
  }

  /** @throws MeshkvError INVALID_ARGUMENT, OVERLOADED, UNAVAILABLE */
  open(run: Run, request: LocalWatchRequest): LocalWatch {
    if (this.#open.size >= WATCHERS_MAX) {
      throw new MeshkvError(
        "OVERLOADED",
        `this replica has ${WATCHERS_MAX} watchers already: watch another one, or fewer things`,
      );
    }
    this.#observe(run);
    const watch = new Watch(run, request, this.#readers, () => this.#open.delete(watch));
    this.#open.add(watch);
    return watch;
  }

  /** A run that has ended wakes its watchers, so that they hear of it. */
  #observe(run: Run): void {
    if (this.#observed === run) return;
    this.#observed = run;
    run.observe(() => {
      if (run.failure !== undefined) for (const watch of this.#open) watch.wake();
    });
  }
}

class Watch implements LocalWatch {
  readonly #run: Run;
  readonly #readers: Gate;
  readonly #cursor: WatchCursor;
  readonly #withPrevious: boolean;
  readonly #closed: () => void;
  #isWoken = false;
  #wait: { resolve(isWoken: boolean): void; reject(error: Error): void } | undefined;
  /** When the present wait is over, … */
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** … and when the timer comes. */
  #timerMs = 0;
  #signal: AbortSignal | undefined;

  constructor(run: Run, request: LocalWatchRequest, readers: Gate, closed: () => void) {
    const { watches, active } = run.host;
    const { name } = active.replica.identity.mesh;
    const decoded = request.resume === undefined ? undefined : decodeWatchToken(request.resume, name);
    if (decoded !== undefined && "problem" in decoded) {
      throw new MeshkvError("INVALID_ARGUMENT", `resume: ${decoded.problem}`, { field: "resume" });
    }
    this.#run = run;
    this.#readers = readers;
    this.#withPrevious = request.previous;
    this.#closed = closed;
    this.#cursor = watches.open({
      target: request.target,
      resume: decoded?.resume,
      initial: request.initial,
      wake: () => this.wake(),
    });
  }

  wake(): void {
    this.#isWoken = true;
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.resolve(true);
  }

  token(): Uint8Array {
    return this.#cursor.token();
  }

  begin(signal: AbortSignal): Promise<WatchPage> {
    return this.next(signal, 0);
  }

  async next(signal: AbortSignal, idleMs: number): Promise<WatchPage> {
    const startMs = performance.now();
    let isReading = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        this.#throwIfOver();
        this.#isWoken = false;
        const turn = this.#cursor.next(this.#withPrevious);
        const leftMs = startMs + idleMs - performance.now();
        switch (turn.kind) {
          case "events":
            return turn;
          case "ended":
            throw new MeshkvError(turn.code, turn.message);
          case "scan": {
            if (leftMs <= 0) return NOTHING;
            if (!isReading) await this.#readers.enter();
            isReading = true;
            const tables = this.#run.database.generation(turn.generation);
            this.#cursor.scanned(turn.generation, await tables.scan(turn.request));
            break;
          }
          case "idle":
            if (leftMs <= 0 || !(await this.#woken(signal, leftMs))) return NOTHING;
            break;
          case "behind": {
            const patienceMs = startMs + BEHIND_MS_MAX - performance.now();
            if (patienceMs > 0 && (await this.#woken(signal, patienceMs))) break;
            throw new MeshkvError(
              "SESSION_NOT_MET",
              "this replica lacks what this watch was told elsewhere: go on at another replica, or here later",
            );
          }
        }
      }
    } finally {
      if (isReading) this.#readers.leave();
    }
  }

  #throwIfOver(): void {
    const { failure } = this.#run;
    if (failure === undefined) return;
    throw failure.code === "UNAVAILABLE"
      ? failure
      : new MeshkvError("UNAVAILABLE", `this replica tells nothing new for now: ${failure.message}`);
  }

  /** Waits to be woken; false when the time is over. Rejects with the signal's reason. */
  #woken(signal: AbortSignal, ms: number): Promise<boolean> {
    if (this.#isWoken) return Promise.resolve(true);
    invariant(this.#wait === undefined, "a watch is asked for one thing at a time");
    this.#listen(signal);
    this.#dueMs = performance.now() + ms;
    if (this.#timer !== undefined && this.#timerMs > this.#dueMs) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.#timer === undefined) this.#arm(ms);
    return new Promise((resolve, reject) => {
      this.#wait = { resolve, reject };
    });
  }

  /** Most waits end long before their time: the timer stays as it is, and looks when it comes whether time is over. */
  #arm(ms: number): void {
    this.#timerMs = performance.now() + ms;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const wait = this.#wait;
      if (wait === undefined) return;
      const leftMs = this.#dueMs - performance.now();
      if (leftMs > 0) return this.#arm(leftMs);
      this.#wait = undefined;
      wait.resolve(false);
    }, ms);
  }

  /** All waits of a call have one signal. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => {
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.reject(this.#signal?.reason as Error);
  };

  close(): void {
    clearTimeout(this.#timer);
    this.#listen(undefined);
    this.#cursor.close();
    this.#closed();
  }
}

const NOTHING: WatchPage = { events: [], synced: false };
