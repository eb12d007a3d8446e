/** The meshkv client for Node. */
export { type ErrorCode, MeshkvError } from "@meshkv/protocol";
export { type ClientEvent, connect, type ConnectOptions } from "./connect.ts";
export type { JsonKeyValues, MeshkvClient, ReplicaView, Session } from "./client.ts";
export type { KeyValues, PrefixOptions } from "./key-values.ts";
export type {
  BatchWrite,
  BatchWritten,
  CallOptions,
  Concern,
  Condition,
  ConflictOptions,
  ConflictsOptions,
  Deleted,
  DeletedPrefix,
  DeleteOptions,
  DeletePrefixOptions,
  ListOptions,
  SetOptions,
  WriteOptions,
  Written,
} from "./call-options.ts";
export type { TimeSpan } from "./duration.ts";
export type { Conflict, ConflictRecord, Entry, KeyInfo } from "./entry.ts";
export type { Key } from "./key.ts";
export type {
  MemberInfo,
  MemberState,
  OriginPosition,
  RemoveMemberOptions,
  ReplicaState,
  ReplicaStatus,
} from "./mesh-info.ts";
export type { StandardSchema } from "./standard-schema.ts";
export { bytesFormat, type Json, type JsonOnly, textFormat, type ValueFormat } from "./value-format.ts";
export type { VerifyEvent, VerifyOptions, VerifyOutcome } from "./verification.ts";
export type { Watch, WatchEvent, WatchOptions } from "./watch.ts";
