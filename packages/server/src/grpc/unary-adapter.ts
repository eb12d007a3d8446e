import type { BoundMethod, CallContext } from "./bound-method.ts";
import { GrpcCall } from "./grpc-call.ts";
import { asMeshkvError, statusOf } from "./grpc-failure.ts";
import { meterOf } from "./measure.ts";
import type { RequestAnswer } from "./request-call.ts";

/** What answers the calls of a method with one request and one reply. */
export function answerUnary(
  { method, handler, encode }: BoundMethod,
  { logger, observe }: CallContext,
): RequestAnswer {
  const meter = meterOf(method, observe);
  return ({ message, refusal }, call) => {
    const startMs = performance.now();
    const info = new GrpcCall(call);
    const fail = (thrown: unknown): void => {
      info.answered();
      const failure = asMeshkvError(thrown, `${method.parent.typeName}/${method.name}`, logger);
      meter?.ended(failure.code, startMs);
      call.fail(statusOf(failure));
    };
    const reply = (value: unknown): void => {
      let bytes: Buffer;
      try {
        bytes = encode(value as never);
      } catch (bug) {
        return fail(bug);
      }
      info.answered();
      meter?.ended("OK", startMs);
      call.reply(bytes);
    };
    let answer: unknown;
    try {
      if (refusal !== undefined) throw refusal;
      info.throwIfEnded();
      answer = handler(message as never, info);
    } catch (thrown) {
      return fail(thrown);
    }
    // What is known at once is answered at once.
    if (answer instanceof Promise) answer.then(reply, fail);
    else reply(answer);
  };
}
