/**
 * Watchers of this process: drives the core's cursors with rows, time and patience. Nothing is queued for a watcher: what
 * it does not ask for stays where it is.
 */
import {
  decodeWatchToken,
  invariant,
  MeshkvError,
  type ScanRequest,
  type WatchCursor,
  WATCHERS_MAX,
} from "@meshkv/core";
import type { LocalWatch, LocalWatchRequest, WatchAsker, WatchPage } from "../handlers/local-replica.ts";
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
  #woken: Watch[] = [];
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
    const watch = new Watch(run, request, {
      readers: this.#readers,
      woken: () => this.#wake(watch),
      closed: () => this.#open.delete(watch),
    });
    this.#open.add(watch);
    return watch;
  }

  /**
   * Who wakes may be asked for nothing meanwhile. All that are woken together go on in one turn, one wholly after the
   * other: with a promise for each, a thousand watchers would be gone through again and again.
   */
  #wake(watch: Watch): void {
    if (this.#woken.push(watch) > 1) return;
    queueMicrotask(() => {
      const woken = this.#woken;
      this.#woken = [];
      for (const each of woken) each.goOn();
    });
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

interface WatchSurroundings {
  readonly readers: Gate;
  /** `goOn` is to be called soon. */
  readonly woken: () => void;
  readonly closed: () => void;
}

class Watch implements LocalWatch {
  readonly #run: Run;
  readonly #surroundings: WatchSurroundings;
  readonly #cursor: WatchCursor;
  readonly #withPrevious: boolean;
  /** Who waits for a page, … */
  #asker: WatchAsker | undefined;
  /** … since when, and for how long at most. */
  #sinceMs = 0;
  #idleMs = 0;
  /** Nothing is to be told before it is woken, or until `#dueMs`. */
  #isWaiting = false;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer comes. */
  #timerMs = 0;
  #isReader = false;
  #isScanning = false;
  #signal: AbortSignal | undefined;

  constructor(run: Run, request: LocalWatchRequest, surroundings: WatchSurroundings) {
    const { watches, active } = run.host;
    const { name } = active.replica.identity.mesh;
    const decoded = request.resume === undefined ? undefined : decodeWatchToken(request.resume, name);
    if (decoded !== undefined && "problem" in decoded) {
      throw new MeshkvError("INVALID_ARGUMENT", `resume: ${decoded.problem}`, { field: "resume" });
    }
    this.#run = run;
    this.#surroundings = surroundings;
    this.#withPrevious = request.previous;
    this.#cursor = watches.open({
      target: request.target,
      resume: decoded?.resume,
      initial: request.initial,
      wake: () => this.wake(),
    });
  }

  token(): Uint8Array {
    return this.#cursor.token();
  }

  ask(signal: AbortSignal, idleMs: number, asker: WatchAsker): void {
    invariant(this.#asker === undefined, "a watch is asked for one thing at a time");
    this.#asker = asker;
    this.#sinceMs = performance.now();
    this.#idleMs = idleMs;
    this.#listen(signal);
    if (signal.aborted) this.#fail(signal.reason);
    else this.goOn();
  }

  wake(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#surroundings.woken();
  }

  /** Answers, reads, or waits. */
  goOn(): void {
    if (this.#asker === undefined) return;
    let page: WatchPage | undefined;
    try {
      page = this.#turn();
    } catch (error) {
      return this.#fail(error);
    }
    if (page !== undefined) this.#answered()?.take(page);
  }

  /** What is to be told now; undefined when it reads or waits first. */
  #turn(): WatchPage | undefined {
    this.#throwIfOver();
    const turn = this.#cursor.next(this.#withPrevious);
    if (turn.kind === "events") return turn;
    const passedMs = performance.now() - this.#sinceMs;
    switch (turn.kind) {
      case "ended":
        throw new MeshkvError(turn.code, turn.message);
      case "scan":
        if (passedMs >= this.#idleMs) return NOTHING;
        void this.#scan(turn.generation, turn.request);
        return undefined;
      case "idle":
        if (passedMs >= this.#idleMs) return NOTHING;
        this.#waitUntil(this.#sinceMs + this.#idleMs);
        return undefined;
      case "behind":
        if (passedMs >= BEHIND_MS_MAX) {
          throw new MeshkvError(
            "SESSION_NOT_MET",
            "this replica lacks what this watch was told elsewhere: go on at another replica, or here later",
          );
        }
        this.#waitUntil(this.#sinceMs + BEHIND_MS_MAX);
        return undefined;
    }
  }

  /** Whom to answer: who asks is answered once. */
  #answered(): WatchAsker | undefined {
    const asker = this.#asker;
    this.#asker = undefined;
    this.#isWaiting = false;
    this.#leaveReaders();
    return asker;
  }

  #fail(error: unknown): void {
    this.#answered()?.fail(error);
  }

  async #scan(generation: number, request: ScanRequest): Promise<void> {
    this.#isScanning = true;
    try {
      if (!this.#isReader) await this.#surroundings.readers.enter();
      this.#isReader = true;
      // Nobody asks any more: it waited in vain.
      if (this.#asker !== undefined)
        this.#cursor.scanned(generation, await this.#run.database.generation(generation).scan(request));
    } catch (error) {
      this.#fail(error);
    }
    this.#isScanning = false;
    if (this.#asker === undefined) this.#leaveReaders();
    else this.goOn();
  }

  #leaveReaders(): void {
    if (!this.#isReader || this.#isScanning) return;
    this.#isReader = false;
    this.#surroundings.readers.leave();
  }

  #throwIfOver(): void {
    const { failure } = this.#run;
    if (failure === undefined) return;
    throw failure.code === "UNAVAILABLE"
      ? failure
      : new MeshkvError("UNAVAILABLE", `this replica tells nothing new for now: ${failure.message}`);
  }

  #waitUntil(dueMs: number): void {
    this.#isWaiting = true;
    this.#dueMs = dueMs;
    if (this.#timer !== undefined && this.#timerMs > dueMs) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.#timer === undefined) this.#arm();
  }

  /** Most waits end long before their time: the timer stays as it is, and looks when it comes whether time is over. */
  #arm(): void {
    const leftMs = this.#dueMs - performance.now();
    this.#timerMs = this.#dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isWaiting) return;
      if (performance.now() < this.#dueMs) return this.#arm();
      this.#isWaiting = false;
      this.goOn();
    }, leftMs);
  }

  /** All that is asked for in a call has one signal. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => this.#fail(this.#signal?.reason);

  close(): void {
    clearTimeout(this.#timer);
    this.#listen(undefined);
    this.#answered();
    this.#cursor.close();
    this.#surroundings.closed();
  }
}

const NOTHING: WatchPage = { events: [], synced: false };
