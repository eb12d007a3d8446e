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
import type { LocalReplica, LocalWatch, WatchPage } from "./local-replica.ts";
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
  async *watch(request: WatchRequest, call: CallInfo): AsyncGenerator<WatchReply, void, undefined> {
    const { initial, previous } = request;
    const target = targetOf(request);
    const resume = resumeOf(request);
    await this.#sessions.enter(request.session, call);
    const watch = this.#replica.watch({ target, resume, initial, previous });
    this.#count += 1;
    try {
      yield this.#reply(watch, await watch.begin(call.signal), previous);
      for (;;) yield this.#reply(watch, await watch.next(call.signal, WATCH_IDLE_MS), previous);
    } finally {
      this.#count -= 1;
      watch.close();
    }
  }

  #reply(watch: LocalWatch, { events, synced }: WatchPage, previous: boolean): WatchReply {
    const token = watch.token();
    return {
      events: this.#page(events, previous),
      resume: Buffer.from(token.buffer, token.byteOffset, token.length).toString("base64url"),
      synced,
    };
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
