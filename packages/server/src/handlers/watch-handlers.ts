/** `KeyValue.Watch` as a function from one request to many replies, for any transport that can pull. */
import {
  isExpired,
  WATCH_IDLE_MS,
  WATCH_TOKEN_BYTES_MAX,
  type WatchEvent,
  type WatchTarget,
} from "@meshkv/core";
import {
  create,
  entryToMessage,
  recordToMessage,
  type WatchEvent as EventMessage,
  WatchEvent_Type,
  WatchEventSchema,
  type WatchRequest,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import type { LocalReplica, LocalWatch, WatchAsker, WatchPage } from "./local-replica.ts";
import type { PulledReplies, Puller } from "./pulled-replies.ts";
import { Sessions } from "./session.ts";
import { invalid, requireKey, requirePrefix } from "./validate.ts";

/** A reply of a watch, as the protocol's `WatchResponse`. */
export interface WatchReply {
  /** One array for all watchers that are told the same. */
  readonly events: EventMessage[];
  readonly resume: string;
  readonly synced: boolean;
}

const TYPES = {
  put: WatchEvent_Type.PUT,
  delete: WatchEvent_Type.DELETE,
  expire: WatchEvent_Type.EXPIRE,
  conflict: WatchEvent_Type.CONFLICT,
} as const;

const TOKEN_CHARS_MAX = Math.ceil((WATCH_TOKEN_BYTES_MAX * 4) / 3);

/** Answers `meshkv.v1.KeyValue/Watch`. */
export class WatchHandlers {
  readonly #replica: LocalReplica;
  readonly #sessions: Sessions;
  /** Messages of events that several watchers are told. */
  readonly #messages = new WeakMap<WatchEvent, EventMessage>();
  readonly #messagesWithPrevious = new WeakMap<WatchEvent, EventMessage>();
  /** The same for pages of events. */
  readonly #pages = new WeakMap<readonly WatchEvent[], EventMessage[]>();
  readonly #pagesWithPrevious = new WeakMap<readonly WatchEvent[], EventMessage[]>();
  /** The last reply: of many that watch the same, the next is told the same. */
  #last: { readonly token: Uint8Array; readonly reply: WatchReply } | undefined;
  #count = 0;

  constructor({ replica }: { readonly replica: LocalReplica }) {
    this.#replica = replica;
    this.#sessions = new Sessions(replica);
  }

  /** Watches that are open now. */
  get watcherCount(): number {
    return this.#count;
  }

  /**
   * Follows a key or prefix. The first reply comes at once; what refuses the call is thrown before it. Pull one reply at
   * a time: nothing waits behind it.
   */
  watch(request: WatchRequest, call: CallInfo): PulledReplies<WatchReply> {
    return new Replies({
      signal: call.signal,
      open: () => this.#open(request, call),
      reply: (watch, page) => this.#reply(watch, page, request.previous),
      closed: () => (this.#count -= 1),
    });
  }

  async #open(request: WatchRequest, call: CallInfo): Promise<LocalWatch> {
    const { initial, previous } = request;
    const target = targetOf(request);
    const resume = resumeOf(request);
    await this.#sessions.enter(request.session, call);
    const watch = this.#replica.watch({ target, resume, initial, previous });
    this.#count += 1;
    return watch;
  }

  #reply(watch: LocalWatch, { events, synced }: WatchPage, previous: boolean): WatchReply {
    const token = watch.token();
    const page = this.#page(events, previous);
    const last = this.#last;
    if (last?.token === token && last.reply.events === page && last.reply.synced === synced)
      return last.reply;
    const resume = Buffer.from(token.buffer, token.byteOffset, token.length).toString("base64url");
    const reply = { events: page, resume, synced };
    this.#last = { token, reply };
    return reply;
  }

  #page(events: readonly WatchEvent[], previous: boolean): EventMessage[] {
    const pages = previous ? this.#pagesWithPrevious : this.#pages;
    let page = pages.get(events);
    if (page === undefined) {
      page = events.map((event) => this.#message(event, previous));
      pages.set(events, page);
    }
    return page;
  }

  #message(event: WatchEvent, previous: boolean): EventMessage {
    const messages = previous ? this.#messagesWithPrevious : this.#messages;
    let message = messages.get(event);
    if (message === undefined) {
      message = toMessage(event, previous, this.#replica.nowMs());
      messages.set(event, message);
    }
    return message;
  }
}

interface RepliesOptions {
  readonly signal: AbortSignal;
  readonly open: () => Promise<LocalWatch>;
  readonly reply: (watch: LocalWatch, page: WatchPage) => WatchReply;
  readonly closed: () => void;
}

/** The replies of one watch; they end with a failure, or with {@link return}. */
class Replies implements PulledReplies<WatchReply>, WatchAsker {
  readonly #options: RepliesOptions;
  #watch: LocalWatch | undefined;
  #isOver = false;
  #puller: Puller<WatchReply> | undefined;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  pull(puller: Puller<WatchReply>): void {
    this.#puller = puller;
    if (this.#watch === undefined) this.#begin().catch((error: unknown) => this.fail(error));
    else this.#watch.ask(this.#options.signal, WATCH_IDLE_MS, this);
  }

  async #begin(): Promise<void> {
    const watch = await this.#options.open();
    this.#watch = watch;
    if (this.#isOver) this.#close();
    else watch.ask(this.#options.signal, 0, this);
  }

  take(page: WatchPage): void {
    if (this.#watch === undefined) return;
    let reply: WatchReply;
    try {
      reply = this.#options.reply(this.#watch, page);
    } catch (bug) {
      return this.fail(bug);
    }
    this.#puller?.take(reply);
  }

  fail(error: unknown): void {
    this.#close();
    this.#puller?.fail(error);
  }

  next(): Promise<IteratorResult<WatchReply, void>> {
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, fail) =>
      this.pull({ take: (value) => resolve({ done: false, value }), fail }),
    );
  }

  return(): Promise<IteratorResult<WatchReply, void>> {
    this.#close();
    return Promise.resolve(DONE);
  }

  #close(): void {
    this.#isOver = true;
    const watch = this.#watch;
    this.#watch = undefined;
    if (watch === undefined) return;
    watch.close();
    this.#options.closed();
  }
}

const DONE = { done: true, value: undefined } as const;

function targetOf({ target }: WatchRequest): WatchTarget {
  switch (target.case) {
    case "key":
      return { kind: "key", text: requireKey(target.value) };
    case "prefix":
      return { kind: "prefix", text: requirePrefix(target.value) };
    case undefined:
      throw invalid("target", "is missing: set key or prefix");
  }
}

function resumeOf({ resume, initial }: WatchRequest): Uint8Array | undefined {
  if (resume === "") return undefined;
  if (initial)
    throw invalid(
      "initial",
      "does not go with resume: a token says itself whether the state is still to come",
    );
  const garbled = "is no token that a server has answered: send it as it came, or none";
  if (resume.length > TOKEN_CHARS_MAX || !/^[\w-]*$/.test(resume)) throw invalid("resume", garbled);
  return Buffer.from(resume, "base64url");
}

function toMessage(
  { kind, entry, previous }: WatchEvent,
  withPrevious: boolean,
  nowMs: number,
): EventMessage {
  const { winner } = entry;
  const message = create(WatchEventSchema, {
    type: TYPES[kind],
    entry: entryToMessage(entry, { keysOnly: kind === "expire" }),
  });
  const about = kind === "conflict" ? (previous ?? winner) : winner;
  message.origin = about.adopted?.origin ?? about.origin;
  // What had expired was not there to be replaced.
  const isShown = kind === "conflict" || (withPrevious && (kind === "expire" || !isGone(previous, nowMs)));
  if (previous !== undefined && isShown) message.previous = recordToMessage(previous);
  return message;
}

function isGone(record: WatchEvent["previous"], nowMs: number): boolean {
  return record === undefined || isExpired(record, nowMs);
}
