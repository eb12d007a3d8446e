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
import type { CallFailure } from "../call/call-failure.ts";
import { type EntryReading, entryOf, type KeyInfo, keyInfoOf } from "../entry.ts";
import type { Replica } from "../replicas/replica.ts";
import type { Watch, WatchEvent, WatchOptions } from "../watch.ts";
import { Arrivals } from "./arrivals.ts";
import type { Scope } from "./scope.ts";

const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
/** Responses read ahead of the reader: one while another is worked on. */
const AHEAD_MAX = 2;

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
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      yield* this.#streams();
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#closed.abort();
    }
  }

  /** One stream after the other, until the caller has enough or there is no way on. */
  async *#streams(): AsyncGenerator<WatchEvent<V>, void, undefined> {
    const { replicas } = this.#scope.caller;
    const tried = new Set<Replica>();
    for (let round = 0; !this.#isOver; ) {
      const replica = this.#choose(tried);
      if (replica === undefined) throw new MeshkvError("CANCELLED", "the client is closed");
      const outcome = yield* this.#follow(replica);
      if (this.#isOver) return;
      if (replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
      if (outcome.failure?.fate === "final") throw outcome.failure.error;
      if (outcome.progressed) {
        tried.clear();
        round = 0;
      }
      tried.add(replica);
      if (!replicas.all.every((each) => tried.has(each))) continue;
      tried.clear();
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

  async *#follow(
    replica: Replica,
  ): AsyncGenerator<WatchEvent<V>, { failure: CallFailure | undefined; progressed: boolean }, undefined> {
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
        for (const event of arrival.response.events) yield await this.#eventOf(event);
        // Only now: whoever resumes from here has been given all events before it.
        if (arrival.response.resume !== "") this.#resume = arrival.response.resume;
        if (arrival.response.synced && !this.#isSynced) {
          this.#isSynced = true;
          yield { type: "synced" };
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

  async #eventOf({ type, entry, previous, origin }: EventMessage): Promise<WatchEvent<V>> {
    if (entry === undefined) throw new MeshkvError("INTERNAL", "an event without an entry");
    if (type === WatchEvent_Type.CONFLICT) {
      const loser = previous ?? entry;
      return {
        type: "conflict",
        ...this.#changeOf(loser, origin),
        winner: await this.#recordOf(entry),
        loser: await this.#recordOf(loser),
      };
    }
    const before = previous && !previous.deleted ? (await entryOf(previous, this.#reading)).value : undefined;
    if (type === WatchEvent_Type.PUT) {
      return { type: "put", ...(await entryOf(entry, this.#reading)), previous: before };
    }
    const kind = type === WatchEvent_Type.EXPIRE ? "expire" : "delete";
    return { type: kind, ...this.#changeOf(entry, origin), previous: before };
  }

  async #recordOf(message: EntryMessage): Promise<KeyInfo & { readonly value: V | undefined }> {
    if (!message.deleted) return entryOf(message, this.#reading);
    return { ...keyInfoOf(message, this.#reading.prefixBytes), value: undefined };
  }

  #changeOf(message: EntryMessage, origin: string): Pick<KeyInfo, "key" | "keyBytes" | "version" | "origin"> {
    const { key, keyBytes, version } = keyInfoOf(message, this.#reading.prefixBytes);
    return { key, keyBytes, version, origin: origin === "" ? message.origin : origin };
  }
}
