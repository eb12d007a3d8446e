/** Calls of the bench itself: few of them are on a measured path. */
import { Client, type ClientDuplexStream, type ClientReadableStream, credentials } from "@grpc/grpc-js";
import {
  create,
  type DescMethod,
  KeyValue,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  type PipelineRequest,
  type PipelineResponse,
} from "@meshkv/protocol";

const BYTES_MAX = 72 * 1024 * 1024;

/** One connection to a server. */
export class GrpcClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 20,
      "grpc.min_reconnect_backoff_ms": 20,
      "grpc.max_reconnect_backoff_ms": 100,
      "grpc.max_receive_message_length": BYTES_MAX,
    });
  }

  /** A call with one reply. */
  call<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    timeoutMs = 30_000,
  ): Promise<MessageShape<Method["output"]>> {
    const { path, requestSerialize, responseDeserialize } = methodCodec(method);
    const message = create<Method["input"]>(method.input, request);
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + timeoutMs };
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        options,
        (error, reply) => {
          if (error !== null) reject(error);
          else if (reply !== undefined) resolve(reply);
        },
      );
    });
  }

  /** A call of any service with bytes both ways: resolves if it was answered with OK. */
  raw(path: string, body: Uint8Array): Promise<Uint8Array> {
    const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + 10_000 };
      this.#client.makeUnaryRequest(path, same, same, body, options, (error, reply) => {
        if (error === null) resolve(reply ?? new Uint8Array(0));
        else reject(error);
      });
    });
  }

  /** A stream of operations whose messages were encoded before, and are not decoded: the load costs little. */
  rawPipeline(): ClientDuplexStream<Uint8Array, Buffer> {
    const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.#client.makeBidiStreamRequest(methodCodec(KeyValue.method.pipeline).path, same, same);
  }

  /** A stream of operations. */
  pipeline(): ClientDuplexStream<PipelineRequest, PipelineResponse> {
    const codec = methodCodec(KeyValue.method.pipeline);
    return this.#client.makeBidiStreamRequest(codec.path, codec.requestSerialize, codec.responseDeserialize);
  }

  /** A call that is answered by a stream. */
  stream<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
  ): ClientReadableStream<MessageShape<Method["output"]>> {
    const { path, requestSerialize, responseDeserialize } = methodCodec(method);
    const message = create<Method["input"]>(method.input, request);
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
  }

  close(): void {
    this.#client.close();
  }
}
