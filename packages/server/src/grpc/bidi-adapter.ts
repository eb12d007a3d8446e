import type { ServerDuplexStream, UntypedHandleCall } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import type { BoundMethod, CallContext, Incoming } from "./bound-method.ts";
import { GrpcCall } from "./grpc-call.ts";
import { asMeshkvError, statusOf } from "./grpc-failure.ts";
import { meterOf } from "./measure.ts";

type Call = ServerDuplexStream<Incoming, Buffer>;

/** Waits, one at a time, that end when a signal aborts: one listener for all of them. */
class AbortableWait {
  readonly #signal: AbortSignal;
  #reject: ((reason: Error) => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#reject?.(signal.reason as Error));
  }

  /** Settles as the promise does, or rejects with the signal's reason when that comes first. */
  for<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      // What comes of the promise when nobody waits any more is nobody's failure.
      promise.then(resolve, reject);
      this.#reject = reject;
      if (this.#signal.aborted) reject(this.#signal.reason as Error);
    });
  }
}

async function* requestsOf(call: Call, signal: AbortSignal): AsyncGenerator<unknown> {
  // Leaving the loop must not destroy the call: the replies are still to be sent.
  const incoming: AsyncIterator<Incoming> = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  const wait = new AbortableWait(signal);
  for (;;) {
    const next = await wait.for(incoming.next());
    if (next.done === true) return;
    if (next.value.refusal !== undefined) throw next.value.refusal;
    yield next.value.message;
  }
}

/**
 * Replies that may wait for the transport while the next is made. The library itself counts replies, not bytes, and lets
 * 16 wait.
 */
const UNSENT_MAX = 2;

/** The function that @grpc/grpc-js calls for a method with streams both ways. */
export function answerBidi(
  { method, handler, encode }: BoundMethod,
  context: CallContext,
): UntypedHandleCall {
  const path = `${method.parent.typeName}/${method.name}`;

  const replyAll = async (call: Call, request: unknown, info: GrpcCall): Promise<void> => {
    const wait = new AbortableWait(info.signal);
    const replies = handler(request as never, info) as AsyncIterable<unknown>;
    const iterator = replies[Symbol.asyncIterator]();
    let unsent = 0;
    let wake = (): void => {};
    const flushed = (): void => {
      unsent -= 1;
      if (unsent <= UNSENT_MAX) wake();
    };
    try {
      for (;;) {
        const next = await wait.for(iterator.next());
        if (next.done === true) return;
        unsent += 1;
        call.write(encode(next.value as never), flushed);
        if (unsent > UNSENT_MAX) await wait.for(new Promise<void>((resolve) => (wake = resolve)));
      }
    } finally {
      // A handler that waits for something else gets to this when that comes; nobody here can wait for it.
      void iterator.return?.(undefined)?.catch(() => undefined);
    }
  };

  const meter = meterOf(method, context.observe);
  const run = async (call: Call): Promise<void> => {
    const startMs = performance.now();
    const info = new GrpcCall(call);
    const stop = (): void =>
      info.abort(new MeshkvError("UNAVAILABLE", "this server is stopping: ask another one"));
    context.stopping.addEventListener("abort", stop);
    try {
      info.throwIfEnded();
      context.stopping.throwIfAborted();
      await replyAll(call, requestsOf(call, info.signal), info);
      meter?.ended("OK", startMs);
      call.end();
    } catch (thrown) {
      const failure = asMeshkvError(thrown, path, context.logger);
      meter?.ended(failure.code, startMs);
      const status = statusOf(failure);
      // The way of the library to end a stream with a status.
      if (!call.destroyed) call.emit("error", status);
    } finally {
      info.answered();
      context.stopping.removeEventListener("abort", stop);
    }
  };

  return (call: Call): void => {
    void run(call);
  };
}
