/** A plain client of @grpc/grpc-js for tests. */
import { type CallOptions, Client, credentials, type Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  create,
  type DescMethodUnary,
  errorFromGrpc,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  STATUS_DETAILS_KEY,
} from "@meshkv/protocol";
import type { MeshkvError } from "@meshkv/core";
import { formatHostPort, type HostPort } from "../src/grpc/connection-gate.ts";

/** A channel to a server of a test, without any proxy of the environment. */
export function testClient(address: HostPort): Client {
  return new Client(formatHostPort(address), credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
  });
}

/** What a failed call of the library stands for. */
export function toMeshkvError(error: ServiceError): MeshkvError {
  const details = (error.metadata as Metadata | undefined)?.get(STATUS_DETAILS_KEY)[0];
  const failure = { code: error.code, message: error.details };
  return errorFromGrpc({ ...failure, details: details instanceof Uint8Array ? details : undefined });
}

/** One call. Rejects with a `MeshkvError`. */
export function call<Method extends DescMethodUnary>(
  client: Client,
  method: Method,
  request: MessageInitShape<Method["input"]>,
  options: CallOptions & { signal?: AbortSignal } = {},
): Promise<MessageShape<Method["output"]>> {
  const codec = methodCodec(method);
  const { signal, ...rest } = options;
  return new Promise((resolve, reject) => {
    const sent = client.makeUnaryRequest(
      codec.path,
      codec.requestSerialize,
      codec.responseDeserialize,
      create(method.input, request) as MessageShape<Method["input"]>,
      rest,
      (error, reply) => {
        if (error !== null) reject(toMeshkvError(error));
        else if (reply !== undefined) resolve(reply);
      },
    );
    signal?.addEventListener("abort", () => sent.cancel());
  });
}
