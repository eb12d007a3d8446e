/** What a failed call answers. */
import { randomUUID } from "node:crypto";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import { errorToGrpc, STATUS_DETAILS_KEY } from "@meshkv/protocol";
import type { GrpcLogger } from "./grpc-logger.ts";

/** The status, with its details in the trailer. */
export function statusOf(error: MeshkvError): StatusObject {
  const { code, message, details } = errorToGrpc(error);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(details.buffer, details.byteOffset, details.byteLength));
  return { code, details: message, metadata };
}

/**
 * The operating failure that a thrown thing stands for. What is none is a bug: it is logged whole, and the caller is
 * told only the number of the log entry.
 */
export function asMeshkvError(thrown: unknown, path: string, logger: GrpcLogger): MeshkvError {
  if (thrown instanceof MeshkvError) return thrown;
  const incident = randomUUID();
  logger.error({ err: thrown, path, incident }, "a call failed unexpectedly");
  return new MeshkvError(
    "INTERNAL",
    `an error inside the server; its log has the details under ${incident}`,
    {
      incident,
    },
  );
}
