import { CallFailure, Channel } from "@meshkv/client";
import {
  create,
  type DescMethod,
  MeshkvError,
  type MessageInitShape,
  type MessageShape,
} from "@meshkv/protocol";
import { type Address, formatAddress } from "@meshkv/server";
import type { SessionFile } from "./session-file.ts";

/** How calls are made. */
export interface ConnectionOptions {
  /** The time that one call may take, in milliseconds, connecting included. */
  readonly timeoutMs: number;
  /** Ends calls with CANCELLED. */
  readonly signal: AbortSignal;
  /** Told when an address is given up for the next. */
  readonly onSkip: (text: string) => void;
  /** The session that all calls belong to, where they can. */
  readonly session?: SessionFile | undefined;
}

/** Whether a call may be made again when nobody knows if it was served. */
export type CallKind = "read" | "write";

/**
 * Unary calls to the first of several replicas that can be reached. It stays with that one until it fails. A write is
 * given to another replica only if it cannot have been served: it was never sent, or it was refused.
 */
export class Connection {
  readonly #addresses: readonly string[];
  readonly #options: ConnectionOptions;
  readonly #channels = new Map<string, Channel>();
  #preferred = 0;

  /** The addresses, best first; at least one. */
  constructor(addresses: readonly Address[], options: ConnectionOptions) {
    this.#addresses = addresses.map(formatAddress);
    this.#options = options;
  }

  /** The address that answers at present, or is tried first. */
  get address(): string {
    return this.#addresses[this.#preferred] ?? "";
  }

  /** Makes a call; throws MeshkvError. */
  async call<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    kind: CallKind,
  ): Promise<MessageShape<Method["output"]>> {
    const deadlineMs = Date.now() + this.#options.timeoutMs;
    const { session } = this.#options;
    const message = create<Method["input"]>(method.input, session?.into(method, request) ?? request);
    const failures: MeshkvError[] = [];
    for (let tried = 0; tried < this.#addresses.length; tried += 1) {
      const remaining = this.#addresses.length - tried;
      const outcome = await this.#attempt(method, message, kind, deadlineMs, remaining).catch(
        (error: unknown) => {
          if (error instanceof MeshkvError) session?.take(error);
          throw error;
        },
      );
      if (!(outcome instanceof MeshkvError)) {
        session?.take(outcome.reply);
        return outcome.reply;
      }
      failures.push(outcome);
      this.#preferred = (this.#preferred + 1) % this.#addresses.length;
      if (remaining > 1) this.#options.onSkip(`${outcome.message}; trying ${this.address}`);
    }
    throw unreachable(failures);
  }

  /**
   * Makes a call that is answered by a stream, at the first replica that can be reached. It has no deadline; leaving the
   * loop cancels it. Throws MeshkvError.
   */
  async *stream<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
  ): AsyncGenerator<MessageShape<Method["output"]>> {
    const channel = await this.#reach();
    const { session } = this.#options;
    const message = create<Method["input"]>(method.input, session?.into(method, request) ?? request);
    const { signal } = this.#options;
    if (signal.aborted) throw cancelled();
    const replies = new Replies<MessageShape<Method["output"]>>();
    const stream = channel.stream(method, message, {
      onReply: (reply) => {
        stream.pause();
        replies.add({ reply });
      },
      onEnd: (failure) => replies.add({ failure }),
    });
    const onAbort = (): void => replies.add({ failure: undefined });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        const next = await replies.next();
        if (signal.aborted) throw cancelled();
        if ("failure" in next) {
          if (next.failure === undefined) return;
          throw next.failure.error;
        }
        yield next.reply;
        stream.resume();
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      stream.cancel();
    }
  }

  /** Connects to the first replica that can be reached. */
  async #reach(): Promise<Channel> {
    const deadlineMs = Date.now() + this.#options.timeoutMs;
    const failures: MeshkvError[] = [];
    for (let remaining = this.#addresses.length; remaining > 0; remaining -= 1) {
      const channel = this.#channelFor(this.address);
      const problem = await this.#connect(channel, deadlineMs, remaining);
      if (problem === undefined) return channel;
      failures.push(problem);
      this.#preferred = (this.#preferred + 1) % this.#addresses.length;
      if (remaining > 1) this.#options.onSkip(`${problem.message}; trying ${this.address}`);
    }
    throw unreachable(failures);
  }

  /** Tries the next address first from now on. */
  preferNext(): void {
    this.#preferred = (this.#preferred + 1) % this.#addresses.length;
  }

  /** Closes every connection. */
  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }

  /** Returns the reply, or the error that lets the next replica be tried; throws any other. */
  async #attempt<Method extends DescMethod>(
    method: Method,
    message: MessageShape<Method["input"]>,
    kind: CallKind,
    deadlineMs: number,
    remaining: number,
  ): Promise<{ readonly reply: MessageShape<Method["output"]> } | MeshkvError> {
    const channel = this.#channelFor(this.address);
    const { signal } = this.#options;
    const problem = await this.#connect(channel, deadlineMs, remaining);
    if (problem !== undefined) return problem;
    // A read that hangs here must leave the next one its share; a write that may have been served is not given away.
    const endMs = kind === "read" ? shareOf(deadlineMs, remaining) : deadlineMs;
    const call = channel.unary(method, message, endMs);
    signal.addEventListener("abort", call.cancel, { once: true });
    if (signal.aborted) call.cancel();
    try {
      return { reply: await call.reply };
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      if (signal.aborted) throw cancelled();
      const { fate, error } = failure;
      const isOver = error.code === "UNAVAILABLE" || (remaining > 1 && error.code === "DEADLINE_EXCEEDED");
      if (fate === "refused" || (kind === "read" && isOver)) return error;
      throw kind === "write" && fate === "unknown" ? withDoubt(error) : error;
    } finally {
      signal.removeEventListener("abort", call.cancel);
    }
  }

  /** Returns what is wrong when there can be no connection within this one's share of the time. */
  async #connect(channel: Channel, deadlineMs: number, remaining: number): Promise<MeshkvError | undefined> {
    const { signal } = this.#options;
    const problem = await channel.connect(shareOf(deadlineMs, remaining), signal);
    if (signal.aborted) throw cancelled();
    return problem;
  }

  #channelFor(address: string): Channel {
    const known = this.#channels.get(address);
    if (known !== undefined) return known;
    const channel = new Channel(address);
    this.#channels.set(address, channel);
    return channel;
  }
}

/** A reply of a stream, or its end. */
type Arrival<Reply> = { readonly reply: Reply } | { readonly failure: CallFailure | undefined };

/** What of a stream has arrived and was not taken yet. */
class Replies<Reply> {
  #queue: Arrival<Reply>[] = [];
  #wake = (): void => undefined;

  add(arrival: Arrival<Reply>): void {
    this.#queue.push(arrival);
    this.#wake();
  }

  async next(): Promise<Arrival<Reply>> {
    for (;;) {
      const [first, ...rest] = this.#queue;
      this.#queue = rest;
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** When the time is over that the first of so many replicas may take. */
function shareOf(deadlineMs: number, remaining: number): number {
  const nowMs = Date.now();
  return nowMs + Math.max(0, deadlineMs - nowMs) / remaining;
}

function withDoubt(error: MeshkvError): MeshkvError {
  return new MeshkvError(
    error.code,
    `${error.message}; it is not known whether the write was done`,
    error.metadata,
  );
}

function unreachable(failures: readonly MeshkvError[]): MeshkvError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const texts = failures.map(({ message }) => `  ${message}`);
  return new MeshkvError("UNAVAILABLE", ["no replica can serve this:", ...texts].join("\n"));
}

function cancelled(): MeshkvError {
  return new MeshkvError("CANCELLED", "interrupted");
}
