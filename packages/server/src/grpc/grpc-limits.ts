/** Limits of the gRPC door, each with its reason. @grpc/grpc-js bounds none of these by itself. */
import { BATCH_BYTES_MAX, VALUE_BYTES_MAX } from "@meshkv/core";

const MIB = 1024 * 1024;

/** What one gRPC server allows. */
export interface GrpcLimits {
  /** Connections at a time; more are closed at once. */
  readonly connectionsMax: number;
  /** Calls in flight on one connection; a client's library queues more by itself. */
  readonly streamsPerConnectionMax: number;
  /** Greatest message taken, in bytes; what is above meets the library's RESOURCE_EXHAUSTED. */
  readonly receiveBytesMax: number;
  /** Greatest message sent, in bytes. */
  readonly sendBytesMax: number;
  /** Outgoing bytes that one connection may leave unread, in MiB; above it new calls are refused. */
  readonly unreadMibMax: number;
  /** A connection that says nothing for so long is asked whether it still lives, in milliseconds. */
  readonly keepaliveMs: number;
  /** How long it may take to answer that, in milliseconds. */
  readonly keepaliveTimeoutMs: number;
  /** A connection without calls is closed after this, in milliseconds; clients open a new one when they need it. */
  readonly idleMs: number;
  /** A connection that has not begun to speak HTTP/2 by then is closed, in milliseconds. */
  readonly helloMs: number;
}

/** The limits that go with a greatest value. Messages of clients are a batch or a value, and 1 MiB for the rest of the
 * request, so that `TOO_LARGE` comes from meshkv and not from the library; replies hold a value and its conflicts. */
export function grpcLimits(valueBytesMax: number = VALUE_BYTES_MAX): GrpcLimits {
  return {
    connectionsMax: 4096,
    streamsPerConnectionMax: 1000,
    receiveBytesMax: Math.max(BATCH_BYTES_MAX, valueBytesMax) + MIB,
    sendBytesMax: 2 * valueBytesMax + 4 * MIB,
    unreadMibMax: 64 + Math.ceil((4 * valueBytesMax) / MIB),
    keepaliveMs: 30_000,
    keepaliveTimeoutMs: 20_000,
    idleMs: 15 * 60_000,
    helloMs: 10_000,
  };
}
