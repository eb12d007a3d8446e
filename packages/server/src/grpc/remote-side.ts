/** A peer whose table is compared, asked over gRPC. */
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import {
  BATCH_BYTES_MAX,
  type HeldEntry,
  type KeyText,
  keyTextFromBytes,
  keyTextToBytes,
  MeshkvError,
  parseVersion,
  type ReplicaId,
} from "@meshkv/core";
import {
  Comparison,
  create,
  type DescMethodUnary,
  type EntryDescription,
  errorFromGrpc,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  STATUS_DETAILS_KEY,
} from "@meshkv/protocol";
import {
  type ComparisonScope,
  type ComparisonSide,
  type HeldKeys,
  type Stretch,
  type StretchEntries,
  type StretchSum,
  type TableReport,
  vectorFrom,
} from "../handlers/comparison.ts";

/** A call reads a bounded stretch: who takes longer is as good as away. */
const CALL_MS_MAX = 30_000;
/** A whole table may be large, and its machine busy. */
const CHECK_MS_MAX = 60 * 60_000;

const CHANNEL_OPTIONS = {
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.max_receive_message_length": BATCH_BYTES_MAX,
};

/** The side of a peer. To be closed when the comparison ends. */
export class RemoteSide implements ComparisonSide {
  readonly #address: string;
  readonly #client: Client;
  readonly #signal: AbortSignal;

  /** @param signal ends calls under way with its reason */
  constructor(address: string, signal: AbortSignal) {
    this.#address = address;
    this.#client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
    this.#signal = signal;
  }

  close(): void {
    this.#client.close();
  }

  async summarize(scope: ComparisonScope, after: KeyText | undefined, bytesMax: number): Promise<StretchSum> {
    const reply = await this.#call(Comparison.method.summarizeRange, {
      scope: scopeMessage(scope),
      bytesMax,
      ...(after === undefined ? {} : { after: keyTextToBytes(after) }),
    });
    return {
      last: reply.last && keyTextFromBytes(reply.last),
      entries: Number(reply.entries),
      sum: reply.sum,
    };
  }

  async describe(
    scope: ComparisonScope,
    { after, last }: Stretch,
    bytesMax: number,
  ): Promise<StretchEntries> {
    const reply = await this.#call(Comparison.method.describeRange, {
      scope: scopeMessage(scope),
      bytesMax,
      ...(after === undefined ? {} : { after: keyTextToBytes(after) }),
      ...(last === undefined ? {} : { last: keyTextToBytes(last) }),
    });
    return { entries: reply.entries.map(heldEntry), next: reply.next && keyTextFromBytes(reply.next) };
  }

  async describeKeys(scope: ComparisonScope, keys: readonly KeyText[]): Promise<HeldKeys> {
    const reply = await this.#call(Comparison.method.describeKeys, {
      scope: scopeMessage(scope),
      keys: keys.map(keyTextToBytes),
    });
    const positions = reply.vector.map(({ origin, timestamp }) => ({
      origin: origin as ReplicaId,
      timestamp: Number(timestamp),
    }));
    return {
      entries: reply.entries.map(heldEntry),
      vectorOf: vectorFrom(positions),
      digest: reply.digest,
    };
  }

  async check(scope: ComparisonScope): Promise<TableReport> {
    const reply = await this.#call(
      Comparison.method.checkTable,
      { scope: scopeMessage(scope) },
      CHECK_MS_MAX,
    );
    const { digest, computedDigest } = reply;
    return { keys: Number(reply.keys), digest, computedDigest, damagedRows: Number(reply.damagedRows) };
  }

  #call<Method extends DescMethodUnary>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    timeoutMs: number = CALL_MS_MAX,
  ): Promise<MessageShape<Method["output"]>> {
    const codec = methodCodec(method);
    const signal = this.#signal;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        codec.path,
        codec.requestSerialize,
        codec.responseDeserialize,
        create(method.input, request) as MessageShape<Method["input"]>,
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          signal.removeEventListener("abort", abort);
          if (signal.aborted) reject(signal.reason as Error);
          else if (error !== null) reject(this.#errorOf(error));
          else if (reply === undefined) reject(new MeshkvError("INTERNAL", "the reply is empty"));
          else resolve(reply);
        },
      );
      const abort = (): void => call.cancel();
      signal.addEventListener("abort", abort);
    });
  }

  #errorOf({ code, details, metadata }: ServiceError): MeshkvError {
    const [bytes] = metadata.get(STATUS_DETAILS_KEY);
    const failure = { code, message: details, details: bytes instanceof Uint8Array ? bytes : undefined };
    return errorFromGrpc(failure, this.#address);
  }
}

function scopeMessage({ meshId, deadlinesAfterMs }: ComparisonScope) {
  return { meshId, deadlinesAfterMs: BigInt(deadlinesAfterMs) };
}

function heldEntry({ key, version, checksum, compared }: EntryDescription): HeldEntry {
  return { key: keyTextFromBytes(key), version: parseVersion(version), checksum, compared };
}
