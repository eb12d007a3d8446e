/** What a gRPC library needs to know of a method, made from its descriptor. */
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/** One direction of a method as functions between messages and bytes. Takes what @grpc/grpc-js hands over as it is. */
export interface MethodCodec<Request, Reply> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly requestDeserialize: (bytes: Uint8Array) => Request;
  readonly responseSerialize: (message: Reply) => Buffer;
  readonly responseDeserialize: (bytes: Uint8Array) => Reply;
}

function serializer<Schema extends DescMessage>(schema: Schema): (message: MessageShape<Schema>) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function deserializer<Schema extends DescMessage>(
  schema: Schema,
): (bytes: Uint8Array) => MessageShape<Schema> {
  // A plain view: out of a Buffer, bytes fields would be Buffers, whose `slice` does not copy.
  return (bytes) => fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** The codec of a method, such as `KeyValue.method.get`. Deserialising throws when the bytes are no such message. */
export function methodCodec<Method extends DescMethod>(
  method: Method,
): MethodCodec<MessageShape<Method["input"]>, MessageShape<Method["output"]>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: serializer<Method["input"]>(method.input),
    requestDeserialize: deserializer<Method["input"]>(method.input),
    responseSerialize: serializer<Method["output"]>(method.output),
    responseDeserialize: deserializer<Method["output"]>(method.output),
  };
}
