/** One watch, over as many streams of as many replicas as it takes. */
import {
  create,
  type Entry as EntryMessage,
  KeyValue,
  MeshkvError,
  WatchEvent_Type,
  type WatchEvent as EventMessage,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
} from "@meshkv/protocol";
import { onceAborted } from "../call/abort.ts";
import { CallFailure, unservedBy } from "../call/call-failure.ts";
import { shareOf } from "../call/patience.ts";
import { type Entry, type EntryReading, entryOf, type KeyInfo, keyInfoOf } from "../entry.ts";
import type { Replica } from "../replicas/replica.ts";
import type { Watch, WatchEvent, WatchOptions } from "../watch.ts";
import { Arrivals } from "./arrivals.ts";
import type { Scope } from "./scope.ts";

const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
/** Responses read ahead of the reader: one while another is worked on. */
const AHEAD_MAX = 2;

/** How one stream ended, and whether anything came of it. */
interface Outcome {
  readonly failure: CallFailure | undefined;
  readonly progressed: boolean;
}

/** Changes of one target, in order and without a gap. */
export class WatchStream<V> implements Watch<V> {
  readonly #scope: Scope;
  readonly #target: WatchRequest["target"];
  readonly #reading: EntryReading<V>;
  readonly #options: WatchOptions;
  readonly #closed = new AbortController();
  #resume: string;
  #isSynced = false;
  #isStarted = false;

  constructor(scope: Scope, target: WatchRequest["target"], reading: EntryReading<V>, options: WatchOptions) {
    this.#scope = scope;
    this.#target = target;
    this.#reading = reading;
    this.#options = options;
    this.#resume = options.resume ?? "";
  }

  get resumeToken(): string | undefined {
    return this.#resume === "" ? undefined : this.#resume;
  }

  close(): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent<V>, void, undefined> {
    if (this.#isStarted) throw new MeshkvError("INVALID_ARGUMENT", "a watch is read once: begin another one");
    this.#isStarted = true;
    const { signal } = this.#options;
    const onAbort = (): void => this.#closed.abort();
    if (signal?.aborted === true) onAbort();
    const forget = onceAborted(signal, onAbort);
    try {
      yield* this.#streams();
    } finally {
      forget();
      this.#closed.abort();
    }
  }

  /** One stream after the other, until the caller has enough or there is no way on. */
  async *#streams(): AsyncGenerator<WatchEvent<V>, void, undefined> {
    const { caller } = this.#scope;
    const { replicas } = caller;
    const tried = new Set<Replica>();
    let problems: MeshkvError[] = [];
    let lost: MeshkvError | undefined;
    let hasBegun = false;
    for (let round = 0; !this.#isOver; ) {
      if (replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
      const replica = this.#choose(tried);
      if (replica === undefined) {
        const isPatient = hasBegun || caller.retries;
        const deadlineMs = Date.now() + this.#scope.timeoutMs;
        if ((await replicas.find(deadlineMs, isPatient, this.#closed.signal)) || isPatient) continue;
        throw replicas.unreachable();
      }
      if (lost !== undefined) caller.noteRetry(lost, replica.address);
      const { failure, progressed } = yield* this.#reach(replica);
      if (this.#isOver) return;
      if (replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
      if (failure?.fate === "final") throw failure.error;
      if (progressed) {
        hasBegun = true;
        tried.clear();
        round = 0;
      }
      tried.add(replica);
      replicas.passOver(replica);
      const next = this.#choose(tried);
      const isRound = next === undefined || tried.has(next);
      if (failure !== undefined) problems.push(failure.error);
      if (failure !== undefined && isRound && !hasBegun && !caller.retries) throw unservedBy(problems);
      // Told in the first round, and not for every try of a replica that stays away.
      lost = round === 0 ? failure?.error : undefined;
      if (!isRound) continue;
      tried.clear();
      problems = [];
      const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** round);
      await replicas.changed(ceilingMs * (0.5 + 0.5 * Math.random()), this.#closed.signal);
      round += 1;
    }
  }

  get #isOver(): boolean {
    return this.#closed.signal.aborted;
  }

  #choose(tried: ReadonlySet<Replica>): Replica | undefined {
    const home = this.#scope.session?.replica;
    if (home?.health === "well" && !home.isRetired && !tried.has(home)) return home;
    return this.#scope.caller.replicas.choose(false, tried);
  }

  async *#reach(replica: Replica): AsyncGenerator<WatchEvent<V>, Outcome, undefined> {
    const deadlineMs = Date.now() + this.#scope.timeoutMs;
    const isOnly = this.#scope.caller.replicas.all.length < 2;
    const problem = await replica.connect(isOnly ? deadlineMs : shareOf(deadlineMs), this.#closed.signal);
    if (problem === undefined) return yield* this.#follow(replica);
    return { failure: new CallFailure(problem, "unsent"), progressed: false };
  }

  async *#follow(replica: Replica): AsyncGenerator<WatchEvent<V>, Outcome, undefined> {
    const arrivals = new Arrivals<WatchResponse>();
    const stream = replica.channel.stream(KeyValue.method.watch, this.#request(), {
      onReply: (response) => {
        replica.heard(performance.now());
        if (arrivals.add({ response }) >= AHEAD_MAX) stream.pause();
      },
      onEnd: (failure) => arrivals.add({ failure }),
    });
    const leave = replica.hostWatch((failure) => arrivals.add({ failure }));
    const onClose = (): void => void arrivals.add({ failure: undefined });
    this.#closed.signal.addEventListener("abort", onClose, { once: true });
    let progressed = false;
    try {
      for (;;) {
        const arrival = await arrivals.next();
        if (this.#isOver) return { failure: undefined, progressed };
        if ("failure" in arrival) return { failure: arrival.failure, progressed };
        stream.resume();
        const { events, synced } = arrival.response;
        const resume = arrival.response.resume || undefined;
        for (const [index, event] of events.entries()) {
          yield await this.#eventOf(event, index === events.length - 1 ? resume : undefined);
        }
        // Only now: whoever resumes from here has been given all events before it.
        this.#resume = resume ?? this.#resume;
        if (synced && !this.#isSynced) {
          this.#isSynced = true;
          yield { type: "synced", resume };
        }
        progressed = true;
      }
    } finally {
      this.#closed.signal.removeEventListener("abort", onClose);
      leave();
      stream.cancel();
    }
  }

  #request(): WatchRequest {
    const { initial = false, previous = false } = this.#options;
    return create(WatchRequestSchema, {
      target: this.#target,
      resume: this.#resume,
      // A token of an initial watch says how far the current state has been told.
      initial: initial && this.#resume === "",
      previous,
      session: this.#scope.session?.token ?? "",
    });
  }

  async #eventOf(
    { type, entry, previous, origin }: EventMessage,
    resume: string | undefined,
  ): Promise<WatchEvent<V>> {
    if (entry === undefined) throw new MeshkvError("INTERNAL", "an event without an entry");
    if (type === WatchEvent_Type.CONFLICT) {
      const loser = previous ?? entry;
      const { key, keyBytes, version, origin: writer } = this.#changeOf(loser, origin);
      return {
        type: "conflict",
        key,
        keyBytes,
        version,
        origin: writer,
        resume,
        winner: await this.#recordOf(entry),
        loser: await this.#recordOf(loser),
      };
    }
    const before = await this.#replaced(previous);
    if (type === WatchEvent_Type.PUT) {
      return { type: "put", ...(await entryOf(entry, this.#reading)), previous: before, resume };
    }
    const kind = type === WatchEvent_Type.EXPIRE ? "expire" : "delete";
    return { type: kind, ...this.#changeOf(entry, origin), previous: before, resume };
  }

  async #replaced(message: EntryMessage | undefined): Promise<Entry<V> | undefined> {
    return message === undefined || message.deleted ? undefined : entryOf(message, this.#reading);
  }

  async #recordOf(message: EntryMessage): Promise<KeyInfo & { readonly value: V | undefined }> {
    if (!message.deleted) return entryOf(message, this.#reading);
    return { ...keyInfoOf(message, this.#reading.prefixBytes), value: undefined };
  }

  #changeOf(message: EntryMessage, origin: string): KeyInfo {
    return { ...keyInfoOf(message, this.#reading.prefixBytes), origin: origin || message.origin };
  }
}
