/** Limits of the HTTP door, each with its reason. */
import { BATCH_BYTES_MAX, VALUE_BYTES_MAX } from "@meshkv/core";

const MIB = 1024 * 1024;

/** What one HTTP server allows. */
export interface HttpLimits {
  /** Connections at a time; more are closed at once. */
  readonly connectionsMax: number;
  /** Bodies of requests under way, in bytes together; beyond it new ones are refused with OVERLOADED. */
  readonly bodyBytesInFlightMax: number;
  /** Headers of a request, in bytes together: a key of 1,024 bytes, percent-encoded, takes three of it. */
  readonly headerBytesMax: number;
  /** By then the headers of a request must have come, in milliseconds: clients that dribble are cut. */
  readonly headersMs: number;
  /** By then a request must have come whole, in milliseconds. */
  readonly requestMs: number;
  /** A connection without a request is closed after this, in milliseconds. */
  readonly idleMs: number;
  /** A client that reads nothing of its answer for so long is cut, in milliseconds. */
  readonly unreadMs: number;
  /** How often the times above are looked at, in milliseconds. */
  readonly checkMs: number;
  /** A body that is stored as it is, or an envelope around it, in bytes. */
  readonly valueBodyBytesMax: number;
  /** A batch as JSON, in bytes. */
  readonly batchBodyBytesMax: number;
  /** Any other body, in bytes. */
  readonly bodyBytesMax: number;
}

/** The limits that go with a greatest value. In JSON four bytes carry three, or a character takes up to six. */
export function httpLimits(valueBytesMax: number = VALUE_BYTES_MAX): HttpLimits {
  return {
    connectionsMax: 12_000,
    bodyBytesInFlightMax: 128 * MIB + 4 * valueBytesMax,
    headerBytesMax: 16 * 1024,
    headersMs: 10_000,
    requestMs: 120_000,
    idleMs: 60_000,
    unreadMs: 60_000,
    checkMs: 5000,
    valueBodyBytesMax: 2 * valueBytesMax + MIB,
    batchBodyBytesMax: 2 * Math.max(BATCH_BYTES_MAX, valueBytesMax) + MIB,
    bodyBytesMax: 2 * MIB,
  };
}
