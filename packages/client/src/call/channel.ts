/** A connection to one replica: the one place that knows the gRPC library. */
import { Buffer } from "node:buffer";
import {
  type CallOptions as GrpcCallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  type DescMethod,
  errorFromGrpc,
  GRPC_STATUS,
  type GrpcError,
  KeyValue,
  type MessageShape,
  type MethodCodec,
  MeshkvError,
  methodCodec,
  type PipelineRequest,
  type PipelineResponse,
} from "@meshkv/protocol";
import { onceAborted } from "./abort.ts";
import { CallFailure, failureOfGrpc } from "./call-failure.ts";

/** Replies may hold the greatest value that a server can be told to take, its conflicts, and their keys. */
const REPLY_BYTES_MAX = 136 * 1024 * 1024;

/** A call under way. */
export interface RunningCall<Reply> {
  /** Rejects with a {@link CallFailure}. */
  readonly reply: Promise<Reply>;
  readonly cancel: () => void;
}

/** What to do with a stream of replies. */
export interface StreamListener<Reply> {
  /** May answer a promise: the next reply waits for it. */
  readonly onReply: (reply: Reply) => void;
  /** Undefined when the replica ended the stream in order. Called once. */
  readonly onEnd: (failure: CallFailure | undefined) => void;
}

/** A stream of replies under way. */
export interface RunningStream {
  readonly pause: () => void;
  readonly resume: () => void;
  readonly cancel: () => void;
}

/** A stream both ways. */
export interface RunningPipeline {
  /** Sends a message; false asks to wait for `onDrain` before the next. */
  readonly send: (request: PipelineRequest) => boolean;
  readonly onDrain: (listener: () => void) => void;
  /** Ends the sending side. */
  readonly end: () => void;
  readonly cancel: () => void;
}

const codecs = new Map<DescMethod, unknown>();

function codecOf<Method extends DescMethod>(
  method: Method,
): MethodCodec<MessageShape<Method["input"]>, MessageShape<Method["output"]>> {
  let codec = codecs.get(method);
  if (codec === undefined) codecs.set(method, (codec = methodCodec(method)));
  return codec as MethodCodec<MessageShape<Method["input"]>, MessageShape<Method["output"]>>;
}

/** Calls to one replica. Deadlines are `Date.now()` of the moment to give up. */
export class Channel {
  readonly address: string;
  readonly #client: Client;
  #isClosed = false;

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": REPLY_BYTES_MAX,
      "grpc.max_send_message_length": REPLY_BYTES_MAX,
      // Repeating a call is decided here, where it is known what may be repeated.
      "grpc.enable_retries": 0,
      // A proxy for the web, set in the environment, is not the way to a replica.
      "grpc.enable_http_proxy": 0,
      // Two clients of one process are two clients: closing one must not disturb the other.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.min_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
  }

  get isReady(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** Waits until there is a connection; says what is wrong when there can be none by the deadline (in `Date.now()`). */
  async connect(deadlineMs: number, signal?: AbortSignal): Promise<MeshkvError | undefined> {
    const channel = this.#client.getChannel();
    for (;;) {
      if (signal?.aborted === true) return new MeshkvError("CANCELLED", "the caller gave up");
      // The library's channel comes to life again when it is asked to connect after it was closed.
      if (this.#isClosed) return new MeshkvError("CANCELLED", "the client is closed");
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return undefined;
      if (state === connectivityState.TRANSIENT_FAILURE) return this.#problem(deadlineMs);
      if (!(await this.#stateChange(state, deadlineMs, signal))) {
        const text = `cannot reach ${this.address}: the host does not answer`;
        return new MeshkvError("UNAVAILABLE", text, { address: this.address });
      }
    }
  }

  /** One request, one reply. The deadline is a `Date.now()`. */
  unary<Method extends DescMethod>(
    method: Method,
    message: MessageShape<Method["input"]>,
    deadlineMs: number,
  ): RunningCall<MessageShape<Method["output"]>> {
    const { path, requestSerialize, responseDeserialize } = codecOf(method);
    const options: GrpcCallOptions = { deadline: deadlineMs };
    let cancel = (): void => undefined;
    const reply = new Promise<MessageShape<Method["output"]>>((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        new Metadata(),
        options,
        (error, answer) => {
          if (error !== null) reject(failureOfGrpc(error, this.address));
          else if (answer !== undefined) resolve(answer);
          else reject(new CallFailure(new MeshkvError("INTERNAL", "the reply is empty"), "final"));
        },
      );
      cancel = () => call.cancel();
    });
    return { reply, cancel };
  }

  /** One request, many replies; without a deadline. */
  stream<Method extends DescMethod>(
    method: Method,
    message: MessageShape<Method["input"]>,
    listener: StreamListener<MessageShape<Method["output"]>>,
  ): RunningStream {
    const { path, requestSerialize, responseDeserialize } = codecOf(method);
    const call: ClientReadableStream<MessageShape<Method["output"]>> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      new Metadata(),
    );
    call.on("data", listener.onReply);
    this.#onceEnded(call, listener.onEnd);
    return { pause: () => call.pause(), resume: () => call.resume(), cancel: () => call.cancel() };
  }

  /** Opens a pipeline. */
  pipeline(listener: StreamListener<PipelineResponse>): RunningPipeline {
    const { path, requestSerialize, responseDeserialize } = codecOf(KeyValue.method.pipeline);
    const call: ClientDuplexStream<PipelineRequest, PipelineResponse> = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
    );
    call.on("data", listener.onReply);
    this.#onceEnded(call, listener.onEnd);
    return {
      send: (request) => call.write(request),
      onDrain: (resume) => void call.once("drain", resume),
      end: () => call.end(),
      cancel: () => call.cancel(),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }

  #onceEnded(
    call: ClientReadableStream<unknown> | ClientDuplexStream<never, unknown>,
    onEnd: (failure: CallFailure | undefined) => void,
  ): void {
    let isOver = false;
    const end = (failure: CallFailure | undefined): void => {
      if (isOver) return;
      isOver = true;
      onEnd(failure);
    };
    call.on("error", (error: ServiceError) => end(failureOfGrpc(error, this.address)));
    call.on("end", () => {
      // An error is told after the end of what was read, and before the next turn.
      setImmediate(() => end(undefined));
    });
  }

  /** Resolves with false at the deadline. */
  #stateChange(state: connectivityState, deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const forget = onceAborted(signal, () => resolve(true));
      this.#client.getChannel().watchConnectivityState(state, deadlineMs, (error) => {
        forget();
        resolve(error === undefined);
      });
    });
  }

  /** The channel's state does not say why it failed; a call on it does, and is not sent. */
  async #problem(deadlineMs: number): Promise<MeshkvError | undefined> {
    const failure = await new Promise<GrpcError | undefined>((resolve) => {
      const options: GrpcCallOptions = { deadline: deadlineMs };
      this.#client.makeUnaryRequest("/", sameBytes, sameBytes, NOTHING, new Metadata(), options, (error) => {
        resolve(
          error === null ? undefined : { code: error.code, message: error.details, details: undefined },
        );
      });
    });
    // Any other answer came from a server: the connection has been made meanwhile.
    if (failure?.code !== GRPC_STATUS.UNAVAILABLE) return undefined;
    const { message, metadata } = errorFromGrpc(failure, this.address);
    const text = message.startsWith("cannot reach") ? message : `cannot reach ${this.address}: ${message}`;
    return new MeshkvError("UNAVAILABLE", text, metadata);
  }
}

const NOTHING = Buffer.alloc(0);

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
