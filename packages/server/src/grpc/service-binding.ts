/** Puts plain functions behind the methods of a service. */
import type { ServiceDefinition, UntypedHandleCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import {
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
} from "@meshkv/protocol";
import type { CallInfo } from "../handlers/call-info.ts";
import type { BoundHandler, CallContext, Incoming } from "./bound-method.ts";
import { answerStream } from "./stream-adapter.ts";
import { answerUnary } from "./unary-adapter.ts";

/** Answers one request. Throws `MeshkvError` for operating failures. */
type UnaryHandler<Request, Reply> = (request: Request, call: CallInfo) => Reply | Promise<Reply>;

/** Answers one request with many replies; pulled only as fast as the client reads. */
type ServerStreamHandler<Request, Reply> = (request: Request, call: CallInfo) => AsyncIterable<Reply>;

/** Answers many requests with many replies. Requests are read only as fast as they are asked for. */
type BidiHandler<Request, Reply> = (requests: AsyncIterable<Request>, call: CallInfo) => AsyncIterable<Reply>;

type HandlerOf<Method> = Method extends {
  methodKind: infer Kind;
  input: infer Input extends DescMessage;
  output: infer Output extends DescMessage;
}
  ? Kind extends "unary"
    ? UnaryHandler<MessageShape<Input>, MessageInitShape<Output>>
    : Kind extends "server_streaming"
      ? ServerStreamHandler<MessageShape<Input>, MessageInitShape<Output>>
      : Kind extends "bidi_streaming"
        ? BidiHandler<MessageShape<Input>, MessageInitShape<Output>>
        : never
  : never;

/** Handlers by method name, as in `KeyValue.method`. A method without one answers UNIMPLEMENTED. */
export type ServiceHandlers<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]?: HandlerOf<Service["method"][Name]>;
};

/** A service ready to be served. */
export interface ServiceBinding {
  readonly service: DescService;
  readonly definition: ServiceDefinition;
  implementation(context: CallContext): UntypedServiceImplementation;
}

function definitionOf(method: DescMethod): ServiceDefinition[string] {
  const codec = methodCodec(method);
  const requestDeserialize = (bytes: Uint8Array): Incoming => {
    try {
      return { message: codec.requestDeserialize(bytes), refusal: undefined };
    } catch {
      const text = `the request is no ${method.input.typeName}: its bytes do not follow the definition`;
      return { message: undefined, refusal: new MeshkvError("INVALID_ARGUMENT", text) };
    }
  };
  return { ...codec, requestDeserialize };
}

function implementationOf(
  method: DescMethod,
  handler: BoundHandler,
  context: CallContext,
): UntypedHandleCall {
  if (method.methodKind === "unary") return answerUnary(method, handler, context);
  return answerStream(method, handler, context);
}

/** Binds handlers to a service. */
export function bindService<Service extends DescService>(
  service: Service,
  handlers: ServiceHandlers<Service>,
): ServiceBinding {
  const bound = new Map<string, BoundHandler | undefined>(Object.entries(handlers));
  const definition = Object.fromEntries(
    service.methods.map((method) => [method.localName, definitionOf(method)]),
  );
  return {
    service,
    definition,
    implementation(context) {
      return Object.fromEntries(
        service.methods.flatMap((method) => {
          const handler = bound.get(method.localName);
          return handler === undefined
            ? []
            : [[method.localName, implementationOf(method, handler, context)]];
        }),
      );
    },
  };
}
