import { MeshkvError } from "@meshkv/core";
import { isPulled } from "../handlers/pulled-replies.ts";
import type { BoundMethod, CallContext } from "./bound-method.ts";
import { GrpcCall } from "./grpc-call.ts";
import { asMeshkvError, statusOf } from "./grpc-failure.ts";
import { meterOf } from "./measure.ts";
import type { RequestAnswer } from "./request-call.ts";

/**
 * What answers the calls of a method with one request and many replies. Of such calls there may be thousands, and many
 * that do not read: the next reply is made when the one before has left.
 */
export function answerServerStream(
  { method, handler, encode }: BoundMethod,
  { logger, observe, stopping }: CallContext,
): RequestAnswer {
  const path = `${method.parent.typeName}/${method.name}`;
  const meter = meterOf(method, observe);
  return ({ message, refusal }, call) => {
    const startMs = performance.now();
    const info = new GrpcCall(call);
    let replies: AsyncIterator<unknown> | undefined;
    let isOver = false;
    const finish = (): void => {
      isOver = true;
      info.answered();
      stopping.removeEventListener("abort", stop);
      // A handler that waits for something else gets to this when that comes; nobody here can wait for it.
      void replies?.return?.(undefined)?.catch(() => undefined);
    };
    const fail = (thrown: unknown): void => {
      if (isOver) return;
      finish();
      const failure = asMeshkvError(thrown, path, logger);
      meter?.ended(failure.code, startMs);
      call.fail(statusOf(failure));
    };
    const take = (reply: unknown): void => {
      if (isOver) return;
      try {
        call.send(encode(reply as never), pull);
      } catch (bug) {
        fail(bug);
      }
    };
    const takeNext = ({ done, value }: IteratorResult<unknown>): void => {
      if (done !== true) return take(value);
      if (isOver) return;
      finish();
      meter?.ended("OK", startMs);
      call.end();
    };
    const puller = { take, fail };
    const pull = (): void => {
      if (isOver || replies === undefined) return;
      if (isPulled(replies)) replies.pull(puller);
      else replies.next().then(takeNext, fail);
    };
    const stop = (): void =>
      info.abort(new MeshkvError("UNAVAILABLE", "this server is stopping: ask another one"));
    stopping.addEventListener("abort", stop);
    try {
      if (refusal !== undefined) throw refusal;
      info.throwIfEnded();
      stopping.throwIfAborted();
      info.signal.addEventListener("abort", () => fail(info.signal.reason));
      replies = (handler(message as never, info) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    } catch (thrown) {
      return fail(thrown);
    }
    pull();
  };
}
