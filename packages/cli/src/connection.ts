import { Buffer } from "node:buffer";
import {
  type CallOptions,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  create,
  type DescMethod,
  errorFromGrpc,
  GRPC_STATUS,
  type GrpcError,
  MeshkvError,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  STATUS_DETAILS_KEY,
} from "@meshkv/protocol";
import { type Address, formatAddress } from "@meshkv/server";

/** Replies may hold the greatest value that a server can be told to take, and its key and frame. */
const REPLY_BYTES_MAX = 72 * 1024 * 1024;

/** Codes with which a replica refuses before it does anything; another one may serve. */
const REFUSALS: ReadonlySet<string> = new Set(["UNAVAILABLE", "SESSION_NOT_MET", "CLOCK_SKEW"]);

/** How calls are made. */
export interface ConnectionOptions {
  /** The time that one call may take, in milliseconds, connecting included. */
  readonly timeoutMs: number;
  /** Ends calls with CANCELLED. */
  readonly signal: AbortSignal;
  /** Told when an address is given up for the next. */
  readonly onSkip: (text: string) => void;
}

/** Whether a call may be made again when nobody knows if it was served. */
export type CallKind = "read" | "write";

/**
 * Unary calls to the first of several replicas that can be reached. It stays with that one until it fails. A write is
 * given to another replica only if it cannot have been served: it was never sent, or it was refused.
 */
export class Connection {
  readonly #addresses: readonly string[];
  readonly #options: ConnectionOptions;
  readonly #clients = new Map<string, Client>();
  #preferred = 0;

  /** The addresses, best first; at least one. */
  constructor(addresses: readonly Address[], options: ConnectionOptions) {
    this.#addresses = addresses.map(formatAddress);
    this.#options = options;
  }

  /** The address that answers at present, or is tried first. */
  get address(): string {
    return this.#addresses[this.#preferred] ?? "";
  }

  /** Makes a call; throws MeshkvError. */
  async call<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    kind: CallKind,
  ): Promise<MessageShape<Method["output"]>> {
    const deadlineMs = Date.now() + this.#options.timeoutMs;
    const message = create<Method["input"]>(method.input, request);
    const failures: MeshkvError[] = [];
    for (let tried = 0; tried < this.#addresses.length; tried += 1) {
      const remaining = this.#addresses.length - tried;
      const outcome = await this.#attempt(method, message, kind, deadlineMs, remaining);
      if (!(outcome instanceof MeshkvError)) return outcome.reply;
      failures.push(outcome);
      this.#preferred = (this.#preferred + 1) % this.#addresses.length;
      if (remaining > 1) this.#options.onSkip(`${outcome.message}; trying ${this.address}`);
    }
    throw unreachable(failures);
  }

  /** Closes every connection. */
  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  /** Returns the reply, or the error that lets the next replica be tried; throws any other. */
  async #attempt<Method extends DescMethod>(
    method: Method,
    message: MessageShape<Method["input"]>,
    kind: CallKind,
    deadlineMs: number,
    remaining: number,
  ): Promise<{ readonly reply: MessageShape<Method["output"]> } | MeshkvError> {
    const { address } = this;
    const client = this.#clientFor(address);
    const { signal } = this.#options;
    const connectDeadlineMs = Date.now() + Math.max(0, deadlineMs - Date.now()) / remaining;
    const problem = await connect(client, address, connectDeadlineMs, signal);
    if (problem !== undefined) return problem;
    try {
      return { reply: await callUnary(client, method, message, deadlineMs, signal) };
    } catch (error) {
      if (!isServiceError(error)) throw error;
      const failure = toGrpcError(error);
      const translated = errorFromGrpc(failure, address);
      const isRefusal = failure.details !== undefined && REFUSALS.has(translated.code);
      if (isRefusal || (kind === "read" && translated.code === "UNAVAILABLE")) return translated;
      throw kind === "write" && isUncertain(failure, translated) ? withDoubt(translated) : translated;
    }
  }

  #clientFor(address: string): Client {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": REPLY_BYTES_MAX,
      // Repeating a call is decided here, where it is known what may be repeated.
      "grpc.enable_retries": 0,
      // A proxy for the web, set in the environment, is not the way to a peer.
      "grpc.enable_http_proxy": 0,
    });
    this.#clients.set(address, client);
    return client;
  }
}

/** Waits until the client is connected; returns what is wrong when it cannot be. */
async function connect(
  client: Client,
  address: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<MeshkvError | undefined> {
  const channel = client.getChannel();
  for (;;) {
    if (signal.aborted) throw cancelled();
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return undefined;
    if (state === connectivityState.TRANSIENT_FAILURE) return explainFailure(client, address, deadlineMs);
    const changed = await stateChange(client, state, deadlineMs, signal);
    if (!changed) return new MeshkvError("UNAVAILABLE", `cannot reach ${address}: the host does not answer`);
  }
}

/** Resolves with false at the deadline. */
function stateChange(
  client: Client,
  state: connectivityState,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(true);
    signal.addEventListener("abort", onAbort, { once: true });
    client.getChannel().watchConnectivityState(state, deadlineMs, (error) => {
      signal.removeEventListener("abort", onAbort);
      resolve(error === undefined);
    });
  });
}

/** The channel's state does not say why it failed; a call on it does, and is not sent. */
async function explainFailure(
  client: Client,
  address: string,
  deadlineMs: number,
): Promise<MeshkvError | undefined> {
  const failure = await new Promise<GrpcError | undefined>((resolve) => {
    const options: CallOptions = { deadline: deadlineMs };
    client.makeUnaryRequest("/", sameBytes, sameBytes, NOTHING, new Metadata(), options, (error) => {
      resolve(error === null ? undefined : toGrpcError(error));
    });
  });
  // Any other answer came from a server: the connection has been made meanwhile.
  if (failure?.code !== GRPC_STATUS.UNAVAILABLE) return undefined;
  const { message, metadata } = errorFromGrpc(failure, address);
  const text = message.startsWith("cannot reach") ? message : `cannot reach ${address}: ${message}`;
  return new MeshkvError("UNAVAILABLE", text, metadata);
}

const NOTHING = Buffer.alloc(0);

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

function callUnary<Method extends DescMethod>(
  client: Client,
  method: Method,
  message: MessageShape<Method["input"]>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<MessageShape<Method["output"]>> {
  const { path, requestSerialize, responseDeserialize } = methodCodec(method);
  return new Promise((resolve, reject) => {
    const options: CallOptions = { deadline: deadlineMs };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      new Metadata(),
      options,
      (error, reply) => {
        signal.removeEventListener("abort", onAbort);
        if (error !== null) reject(error);
        else if (reply === undefined) reject(new MeshkvError("INTERNAL", "the reply is empty"));
        else resolve(reply);
      },
    );
    const onAbort = (): void => call.cancel();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return (
    error instanceof Error && "details" in error && "metadata" in error && error.metadata instanceof Metadata
  );
}

function toGrpcError(error: ServiceError): GrpcError {
  const [details] = error.metadata.get(STATUS_DETAILS_KEY);
  return {
    code: error.code,
    message: error.details,
    details: details instanceof Uint8Array ? details : undefined,
  };
}

/** Whether the call broke off after it was sent, so that nobody here knows whether it was served. */
function isUncertain(failure: GrpcError, error: MeshkvError): boolean {
  return (
    failure.details === undefined && (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED")
  );
}

function withDoubt(error: MeshkvError): MeshkvError {
  return new MeshkvError(
    error.code,
    `${error.message}; it is not known whether the write was done`,
    error.metadata,
  );
}

function unreachable(failures: readonly MeshkvError[]): MeshkvError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const texts = failures.map(({ message }) => `  ${message}`);
  return new MeshkvError("UNAVAILABLE", ["no replica can serve this:", ...texts].join("\n"));
}

function cancelled(): MeshkvError {
  return new MeshkvError("CANCELLED", "interrupted");
}
