/** Puts plain functions behind the methods of a service. */
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
} from "@meshkv/protocol";
import type { CallInfo } from "../handlers/call-info.ts";
import { answerBidi } from "./bidi-adapter.ts";
import type { BoundMethod, CallContext, Incoming } from "./bound-method.ts";
import { type RequestAnswer, takenByInterceptor } from "./request-call.ts";
import { answerServerStream } from "./server-stream-adapter.ts";
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

/** A codec of its own, for a method that is called so often that it counts. */
export interface FastCodec<Request, Reply> {
  /** Throws at bytes that are no request. */
  readonly decode: (bytes: Uint8Array) => Request;
  readonly encode: (reply: Reply) => Buffer;
}

/** A handler and the codec of its method; made by {@link fastUnary} and {@link fastBidi}. */
export interface FastHandler {
  readonly handler: BoundMethod["handler"];
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly encode: BoundMethod["encode"];
}

/** Answers single calls by a codec of its own. */
export function fastUnary<Request, Reply>(
  codec: FastCodec<Request, Reply>,
  handler: UnaryHandler<Request, Reply>,
): FastHandler {
  return { ...codec, handler };
}

/** Answers single requests with streams by a codec of its own. */
export function fastServerStream<Request, Reply>(
  codec: FastCodec<Request, Reply>,
  handler: ServerStreamHandler<Request, Reply>,
): FastHandler {
  return { ...codec, handler };
}

/** Answers streams by a codec of its own. */
export function fastBidi<Request, Reply>(
  codec: FastCodec<Request, Reply>,
  handler: BidiHandler<Request, Reply>,
): FastHandler {
  return { ...codec, handler };
}

/** Handlers by method name, as in `KeyValue.method`. A method without one answers UNIMPLEMENTED. */
export type ServiceHandlers<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]?: HandlerOf<Service["method"][Name]> | FastHandler;
};

/** A service ready to be served. */
export interface ServiceBinding {
  readonly service: DescService;
  readonly definition: ServiceDefinition;
  implementation(context: CallContext): UntypedServiceImplementation;
  /** What answers its calls with one request, by path; for {@link requestInterceptor}. */
  answers?(context: CallContext): (readonly [path: string, answer: RequestAnswer])[];
}

type Bound = BoundMethod & FastHandler;

function boundMethod(method: DescMethod, given: Bound["handler"] | FastHandler): Bound {
  if (typeof given !== "function") return { method, ...given };
  const { requestDeserialize, responseSerialize } = methodCodec(method);
  return {
    method,
    handler: given,
    decode: requestDeserialize,
    encode: (reply: MessageInitShape<DescMessage>) => responseSerialize(create(method.output, reply)),
  };
}

/** What the library is told. Replies are encoded before it gets them. */
function definitionOf({ method, decode }: Bound): ServiceDefinition[string] {
  const codec = methodCodec(method);
  const requestDeserialize = (bytes: Uint8Array): Incoming => {
    try {
      return { message: decode(bytes), refusal: undefined };
    } catch {
      const text = `the request is no ${method.input.typeName}: its bytes do not follow the definition`;
      return { message: undefined, refusal: new MeshkvError("INVALID_ARGUMENT", text) };
    }
  };
  return { ...codec, requestDeserialize, responseSerialize: (bytes: Buffer) => bytes };
}

/** Binds handlers to a service. */
export function bindService<Service extends DescService>(
  service: Service,
  handlers: ServiceHandlers<Service>,
): ServiceBinding {
  const given = new Map<string, Bound["handler"] | FastHandler | undefined>(Object.entries(handlers));
  const bound = service.methods.flatMap((method): Bound[] => {
    const handler = given.get(method.localName);
    return handler === undefined ? [] : [boundMethod(method, handler)];
  });
  const unanswered = service.methods.filter((method) => given.get(method.localName) === undefined);
  return {
    service,
    definition: Object.fromEntries([
      ...unanswered.map((method) => [method.localName, methodCodec(method)]),
      ...bound.map((each) => [each.method.localName, definitionOf(each)]),
    ]),
    implementation(context): UntypedServiceImplementation {
      return Object.fromEntries(
        bound.map((each) => [
          each.method.localName,
          isBidi(each) ? answerBidi(each, context) : takenByInterceptor,
        ]),
      );
    },
    answers(context) {
      return bound
        .filter((each) => !isBidi(each))
        .map((each) => {
          const answer = each.method.methodKind === "unary" ? answerUnary : answerServerStream;
          return [methodCodec(each.method).path, answer(each, context)] as const;
        });
    },
  };
}

function isBidi({ method }: BoundMethod): boolean {
  return method.methodKind === "bidi_streaming";
}
