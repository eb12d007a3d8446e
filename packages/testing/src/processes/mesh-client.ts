/** A thin client of a server's gRPC services, for tests. */
import {
  Client,
  type ClientDuplexStream,
  credentials,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { MeshkvError } from "@meshkv/core";
import {
  create,
  type DeleteResponse,
  type DescMethodUnary,
  type Entry,
  errorFromGrpc,
  KeyValue,
  type ListConflictsResponse_Conflict,
  Mesh,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  type PipelineRequest,
  type PipelineResponse,
  type SetResponse,
  STATUS_DETAILS_KEY,
  type StatusResponse,
} from "@meshkv/protocol";

/** A call to a server that was killed or stopped ends then. */
const CALL_MS_MAX = 30_000;
const REPLY_BYTES_MAX = 72 * 1024 * 1024;

/** A client of one server; a server that is started again is reached again. */
export class MeshClient {
  readonly address: string;
  readonly #client: Client;

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.min_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
      "grpc.max_receive_message_length": REPLY_BYTES_MAX,
      "grpc.max_send_message_length": REPLY_BYTES_MAX,
    });
  }

  /** One call. Rejects with a `MeshkvError`. */
  call<Method extends DescMethodUnary>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    timeoutMs: number = CALL_MS_MAX,
  ): Promise<MessageShape<Method["output"]>> {
    const codec = methodCodec(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        codec.path,
        codec.requestSerialize,
        codec.responseDeserialize,
        create(method.input, request) as MessageShape<Method["input"]>,
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          if (error !== null) reject(this.#toMeshkvError(error));
          else if (reply !== undefined) resolve(reply);
        },
      );
    });
  }

  #toMeshkvError(error: ServiceError): MeshkvError {
    const details = (error.metadata as Metadata | undefined)?.get(STATUS_DETAILS_KEY)[0];
    const failure = { code: error.code, message: error.details };
    return errorFromGrpc(
      { ...failure, details: details instanceof Uint8Array ? details : undefined },
      this.address,
    );
  }

  set(key: string, value: string): Promise<SetResponse> {
    return this.call(KeyValue.method.set, { key: bytesOf(key), value: bytesOf(value) });
  }

  delete(key: string): Promise<DeleteResponse> {
    return this.call(KeyValue.method.delete, { target: { case: "key", value: bytesOf(key) } });
  }

  /** The value, or undefined when there is none. */
  async get(key: string): Promise<string | undefined> {
    const { entry } = await this.call(KeyValue.method.get, { key: bytesOf(key) });
    return entry && textOf(entry.value);
  }

  /** Sets many keys, in atomic batches. */
  async setMany(pairs: readonly (readonly [key: string, value: string])[], batchSize = 500): Promise<void> {
    for (let index = 0; index < pairs.length; index += batchSize) {
      const writes = pairs.slice(index, index + batchSize).map(([key, value]) => ({
        kind: { case: "set" as const, value: { key: bytesOf(key), value: bytesOf(value) } },
      }));
      await this.call(KeyValue.method.batch, { writes });
    }
  }

  /** Every entry under a prefix, in order. */
  async entries(prefix = ""): Promise<Entry[]> {
    const found: Entry[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.call(KeyValue.method.list, {
        prefix: bytesOf(prefix),
        pageToken,
        pageSize: 10_000,
      });
      found.push(...page.entries);
      if (page.nextPageToken === "") return found;
      pageToken = page.nextPageToken;
    }
  }

  /** Every key with its value. */
  async list(prefix = ""): Promise<Map<string, string>> {
    const entries = await this.entries(prefix);
    return new Map(entries.map(({ key, value }) => [textOf(key), textOf(value)]));
  }

  /** Every key that has conflicts which no later write has seen, in order. */
  async conflicts(prefix = ""): Promise<ListConflictsResponse_Conflict[]> {
    const found: ListConflictsResponse_Conflict[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.call(KeyValue.method.listConflicts, {
        prefix: bytesOf(prefix),
        pageToken,
        pageSize: 1000,
      });
      found.push(...page.conflicts);
      if (page.nextPageToken === "") return found;
      pageToken = page.nextPageToken;
    }
  }

  /** Opens a pipeline, which the caller ends or cancels. */
  pipeline(): ClientDuplexStream<PipelineRequest, PipelineResponse> {
    const { path, requestSerialize, responseDeserialize } = methodCodec(KeyValue.method.pipeline);
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, {});
  }

  status(timeoutMs?: number): Promise<StatusResponse> {
    return this.call(Mesh.method.status, {}, timeoutMs);
  }

  async removeMember(replicaId: string, force = false): Promise<void> {
    await this.call(Mesh.method.removeMember, { replicaId, force });
  }

  close(): void {
    this.#client.close();
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
