import type { handleUnaryCall } from "@grpc/grpc-js";
import { create, type DescMethod, type MessageShape } from "@meshkv/protocol";
import { GrpcCall } from "./grpc-call.ts";
import { asMeshkvError, statusOf } from "./grpc-failure.ts";
import { measureOf } from "./measure.ts";
import type { BoundHandler, CallContext, Incoming } from "./bound-method.ts";

type Reply = MessageShape<DescMethod["output"]>;

/** The function that @grpc/grpc-js calls for a method with one request and one reply. */
export function answerUnary(
  method: DescMethod,
  handler: BoundHandler,
  { logger, observe }: CallContext,
): handleUnaryCall<Incoming, Reply> {
  const answer = async ({ message, refusal }: Incoming, info: GrpcCall): Promise<Reply> => {
    if (refusal !== undefined) throw refusal;
    info.throwIfEnded();
    // The types were checked where the handler was bound.
    const reply = await handler(message as never, info);
    return create(method.output, reply as Reply);
  };
  const measure = measureOf(method, observe);
  return (call, callback) => {
    const measured = measure?.();
    const info = new GrpcCall(call);
    answer(call.request, info).then(
      (reply) => {
        info.answered();
        measured?.("OK");
        callback(null, reply);
      },
      (thrown: unknown) => {
        info.answered();
        const failure = asMeshkvError(thrown, `${method.parent.typeName}/${method.name}`, logger);
        measured?.(failure.code);
        callback(statusOf(failure));
      },
    );
  };
}
