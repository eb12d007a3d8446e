/**
 * Errors on the wire. A server sends the gRPC status of the table, and in the trailer `grpc-status-details-bin` a
 * `google.rpc.Status` with an `ErrorInfo`; a client reads the code back from there, or derives one when the answer
 * came from something else: a proxy, the library, or nobody at all.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ErrorCode, MeshkvError } from "@meshkv/core";
import { GRPC_STATUS, grpcStatusOf, isErrorCode } from "./error-table.ts";
import { BadRequestSchema, type ErrorInfo, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";

/** The domain of every `ErrorInfo` that meshkv sends. */
export const ERROR_DOMAIN = "meshkv";

/** The trailer in which gRPC carries a serialised `google.rpc.Status`. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

/** Clients of gRPC refuse trailers beyond 8 KiB, and a character may take nine bytes in one and four in another. */
const MESSAGE_CHARS_MAX = 500;

/** What a call ends with, in the terms of gRPC. */
export interface GrpcError {
  /** The gRPC status code. */
  readonly code: number;
  /** The text of the status. */
  readonly message: string;
  /** The bytes of the trailer {@link STATUS_DETAILS_KEY}, when there is one. */
  readonly details: Uint8Array | undefined;
}

/** A text that fits a trailer: cut, and without lone halves of characters, which cannot be encoded. */
function wireText(text: string): string {
  const cut = text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX - 1)}…` : text;
  return cut.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The gRPC form of an error. `metadata.field`, when there, is also told as a `BadRequest` violation. */
export function errorToGrpc(error: MeshkvError): GrpcError & { readonly details: Uint8Array } {
  const code = grpcStatusOf(error.code);
  const message = wireText(error.message);
  const info = create(ErrorInfoSchema, {
    reason: error.code,
    domain: ERROR_DOMAIN,
    metadata: { ...error.metadata },
  });
  const details = [anyPack(ErrorInfoSchema, info)];
  const { field } = error.metadata;
  if (field !== undefined) {
    const violation = { field, description: message };
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [violation] })));
  }
  return { code, message, details: toBinary(StatusSchema, create(StatusSchema, { code, message, details })) };
}

function errorInfoOf(details: Uint8Array | undefined): ErrorInfo | undefined {
  if (details === undefined) return undefined;
  try {
    for (const detail of fromBinary(StatusSchema, details).details) {
      const info = anyUnpack(detail, ErrorInfoSchema);
      if (info?.domain === ERROR_DOMAIN) return info;
    }
  } catch {
    // Not a Status: the plain status code has to do.
  }
  return undefined;
}

const CODE_OF_STATUS: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [GRPC_STATUS.CANCELLED, "CANCELLED"],
  [GRPC_STATUS.INVALID_ARGUMENT, "INVALID_ARGUMENT"],
  [GRPC_STATUS.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"],
  [GRPC_STATUS.NOT_FOUND, "NOT_FOUND"],
  [GRPC_STATUS.PERMISSION_DENIED, "PERMISSION_DENIED"],
  [GRPC_STATUS.RESOURCE_EXHAUSTED, "OVERLOADED"],
  [GRPC_STATUS.UNAVAILABLE, "UNAVAILABLE"],
  [GRPC_STATUS.UNAUTHENTICATED, "UNAUTHENTICATED"],
]);

/** What system errors in the library's texts mean for a person. */
const CONNECTION_PROBLEMS: readonly (readonly [marker: string, meaning: string])[] = [
  ["ECONNREFUSED", "nothing listens there; is the server running?"],
  ["ENOTFOUND", "there is no host of that name"],
  ["EAI_AGAIN", "the name cannot be resolved just now"],
  ["Name resolution failed", "there is no host of that name"],
  ["EHOSTUNREACH", "there is no route to that host"],
  ["ENETUNREACH", "there is no route to that network"],
  ["ETIMEDOUT", "the host does not answer"],
  ["ECONNRESET", "the connection was cut"],
  ["EPIPE", "the connection was cut"],
  ["Connection dropped", "the connection was cut"],
  ["HTTP/2", "whatever listens there does not speak gRPC"],
  ["Protocol error", "whatever listens there does not speak gRPC"],
];

function connectionText(message: string, address: string | undefined): string | undefined {
  const problem = CONNECTION_PROBLEMS.find(([marker]) => message.includes(marker));
  if (problem === undefined) return undefined;
  return `cannot reach ${address ?? "the server"}: ${problem[1]}`;
}

/**
 * The error that a failed call stands for.
 * @param address where the call went, for the text of a failed connection.
 */
export function errorFromGrpc(failure: GrpcError, address?: string): MeshkvError {
  const info = errorInfoOf(failure.details);
  if (info !== undefined && isErrorCode(info.reason)) {
    return new MeshkvError(info.reason, failure.message, { ...info.metadata });
  }
  const at = address === undefined ? {} : { address };
  const { code, message } = failure;
  if (code === GRPC_STATUS.UNAVAILABLE) {
    return new MeshkvError("UNAVAILABLE", connectionText(message, address) ?? message, at);
  }
  if (code === GRPC_STATUS.UNIMPLEMENTED) {
    const text = `${address ?? "the server"} does not serve this call: it is older, or no meshkv (${message})`;
    return new MeshkvError("INTERNAL", text, at);
  }
  // The library of either side answers so before meshkv sees the message; there is nothing else to tell it by.
  if (code === GRPC_STATUS.RESOURCE_EXHAUSTED && /message larger than max|size larger than/.test(message)) {
    return new MeshkvError("TOO_LARGE", message, at);
  }
  if (code === GRPC_STATUS.DEADLINE_EXCEEDED) {
    const text = `${address ?? "the server"} did not answer in time (${message})`;
    return new MeshkvError("DEADLINE_EXCEEDED", connectionText(message, address) ?? text, at);
  }
  return new MeshkvError(CODE_OF_STATUS.get(code) ?? "INTERNAL", message, at);
}
