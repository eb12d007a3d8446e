/** Requests that write, checked: what they write, under which name, and what they answer. */
import { formatVersion, invariant, type Version } from "@meshkv/core";
import type {
  BatchRequest,
  BatchResponseSchema,
  DeleteRequest,
  DeleteResponseSchema,
  MessageInitShape,
  SetRequest,
  SetResponseSchema,
  SetResult,
} from "@meshkv/protocol";
import { requireBatch } from "./batch.ts";
import type { LocalWrite, RequestMark, WriteConcern, WriteOutcome } from "./local-replica.ts";
import { contentOf, requireMark } from "./request-mark.ts";
import {
  type ConcernRequest,
  invalid,
  requireConcern,
  requireCondition,
  requireExpiry,
  requireKey,
  requireValue,
} from "./validate.ts";

/** One atomic commit that a request asks for. */
export interface WritePlan {
  readonly writes: readonly LocalWrite[];
  readonly concern: ConcernRequest;
  readonly mark: RequestMark | undefined;
}

/** What plans are made with. */
export interface PlanOptions {
  /** Greatest value that a client may write, in bytes. */
  readonly valueBytesMax: number;
  /** The concern of writes that name none. */
  readonly defaultConcern: WriteConcern;
}

export function planSet(request: SetRequest, options: PlanOptions, nowMs: number): WritePlan {
  const writes: readonly LocalWrite[] = [
    {
      key: requireKey(request.key),
      value: requireValue(request.value, options.valueBytesMax),
      expiresAtMs: requireExpiry(request.ttl, nowMs),
      condition: requireCondition(request.condition),
    },
  ];
  const concern = requireConcern(request.concern, options.defaultConcern);
  // Most have no request id: the function is made for none of them.
  const { requestId } = request;
  const mark = requestId === "" ? undefined : requireMark(requestId, () => contentOf(writes, nowMs));
  return { writes, concern, mark };
}

/** @param key the target of the request, which is a key */
export function planDelete(request: DeleteRequest, key: Uint8Array, options: PlanOptions): WritePlan {
  const concern = requireConcern(request.concern, options.defaultConcern);
  const condition = requireCondition(request.condition);
  if (request.all) throw invalid("all", "goes with an empty prefix, not with a key: leave it out");
  const writes: readonly LocalWrite[] = [
    { key: requireKey(key), value: undefined, expiresAtMs: 0, condition },
  ];
  return { writes, concern, mark: requireMark(request.requestId, () => contentOf(writes, 0)) };
}

export function planBatch(request: BatchRequest, options: PlanOptions, nowMs: number): WritePlan {
  const concern = requireConcern(request.concern, options.defaultConcern);
  const writes = requireBatch(request.writes, options.valueBytesMax, nowMs);
  return { writes, concern, mark: requireMark(request.requestId, () => contentOf(writes, nowMs)) };
}

/** The answer to a write of one key. */
export function setResult({ versions, existed, replicas }: WriteOutcome, session: string): SetResult {
  const [version] = versions;
  invariant(version !== undefined, "a set writes one record");
  return { version, session, replicas, created: existed[0] === false };
}

/** The same as a message. */
export function setReply({
  version,
  session,
  replicas,
  created,
}: SetResult): MessageInitShape<typeof SetResponseSchema> {
  return { version: formatVersion(version), session, replicas, created };
}

export function deleteReply(
  { versions, existed, replicas }: WriteOutcome,
  session: string,
): MessageInitShape<typeof DeleteResponseSchema> {
  return { deleted: existed[0] === true ? 1n : 0n, version: lastVersion(versions), replicas, session };
}

export function batchReply(
  { versions, replicas }: WriteOutcome,
  session: string,
): MessageInitShape<typeof BatchResponseSchema> {
  return { versions: versions.map(formatVersion), replicas, session };
}

/** The last version of a commit as text; empty where there is none. */
export function lastVersion(versions: readonly Version[]): string {
  const version = versions.at(-1);
  return version === undefined ? "" : formatVersion(version);
}
