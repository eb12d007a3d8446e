import type { ServerDuplexStream, ServerWritableStream, UntypedHandleCall } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import { create, type DescMethod, type MessageShape } from "@meshkv/protocol";
import { GrpcCall } from "./grpc-call.ts";
import { asMeshkvError, statusOf } from "./grpc-failure.ts";
import type { BoundHandler, CallContext, Incoming } from "./bound-method.ts";

type Reply = MessageShape<DescMethod["output"]>;
type Outgoing = ServerWritableStream<Incoming, Reply> | ServerDuplexStream<Incoming, Reply>;

/** Settles as the promise does, or rejects with the signal's reason when that comes first. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function* requestsOf(
  call: ServerDuplexStream<Incoming, Reply>,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  // Leaving the loop must not destroy the call: the replies are still to be sent.
  const incoming: AsyncIterator<Incoming> = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  for (;;) {
    const next = await unlessAborted(incoming.next(), signal);
    if (next.done === true) return;
    if (next.value.refusal !== undefined) throw next.value.refusal;
    yield next.value.message;
  }
}

function drained(call: Outgoing): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
  });
}

/** The function that @grpc/grpc-js calls for a method with a stream of replies. */
export function answerStream(
  method: DescMethod,
  handler: BoundHandler,
  context: CallContext,
): UntypedHandleCall {
  const path = `${method.parent.typeName}/${method.name}`;

  const replyAll = async (call: Outgoing, request: unknown, info: GrpcCall): Promise<void> => {
    const { signal } = info;
    const replies = handler(request as never, info) as AsyncIterable<Reply>;
    const iterator = replies[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await unlessAborted(iterator.next(), signal);
        if (next.done === true) return;
        if (!call.write(create(method.output, next.value))) await unlessAborted(drained(call), signal);
      }
    } finally {
      // A handler that waits for something else gets to this when that comes; nobody here can wait for it.
      void iterator.return?.(undefined)?.catch(() => undefined);
    }
  };

  const run = async (call: Outgoing): Promise<void> => {
    const info = new GrpcCall(call);
    const stop = (): void =>
      info.abort(new MeshkvError("UNAVAILABLE", "this server is stopping: ask another one"));
    context.stopping.addEventListener("abort", stop);
    try {
      info.throwIfEnded();
      context.stopping.throwIfAborted();
      if (method.methodKind === "server_streaming") {
        const { message, refusal } = (call as ServerWritableStream<Incoming, Reply>).request;
        if (refusal !== undefined) throw refusal;
        await replyAll(call, message, info);
      } else {
        await replyAll(call, requestsOf(call as ServerDuplexStream<Incoming, Reply>, info.signal), info);
      }
      call.end();
    } catch (thrown) {
      const status = statusOf(asMeshkvError(thrown, path, context.logger));
      // The way of the library to end a stream with a status.
      if (!call.destroyed) call.emit("error", status);
    } finally {
      info.answered();
      context.stopping.removeEventListener("abort", stop);
    }
  };

  return (call: Outgoing): void => {
    void run(call);
  };
}
