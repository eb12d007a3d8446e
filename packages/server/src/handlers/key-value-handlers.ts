/** meshkv.v1.KeyValue as plain functions from request to reply. */
import {
  conflictsOf,
  formatVersion,
  isExpired,
  isLive,
  MeshkvError,
  PAGE_BYTES_MAX,
  PREFIX_DELETE_BATCH,
  type KeyText,
  type WriteRecord,
} from "@meshkv/core";
import {
  type BatchRequest,
  type BatchResponseSchema,
  type DeleteRequest,
  type DeleteResponseSchema,
  entryToMessage,
  type GetRequest,
  type GetResponseSchema,
  type ListRequest,
  type ListResponseSchema,
  type MessageInitShape,
  recordToMessage,
  type SetRequest,
  type SetResponseSchema,
} from "@meshkv/protocol";
import { requireBatch } from "./batch.ts";
import type { CallInfo } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import { isEmptyRange, prefixRange, rangeAfter } from "./key-range.ts";
import type { LocalReplica, LocalWrite, WriteConcern, WriteOptions, WriteOutcome } from "./local-replica.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import { collectPage } from "./page.ts";
import {
  type ConcernRequest,
  invalid,
  pageSize,
  refuseUnserved,
  requireCondition,
  requireConcern,
  requireExpiry,
  requireKey,
  requirePrefix,
  requireRange,
  requireValue,
} from "./validate.ts";

/** What the handlers are told at start. */
export interface KeyValueOptions {
  readonly replica: LocalReplica;
  /** Greatest value that a client may write, in bytes. */
  readonly valueBytesMax: number;
  /** The concern of writes that name none. */
  readonly defaultConcern: WriteConcern;
}

const LOCAL: WriteConcern = { kind: "replicas", count: 1 };

/** Answers the calls of `meshkv.v1.KeyValue`. */
export class KeyValueHandlers {
  readonly #replica: LocalReplica;
  readonly #valueBytesMax: number;
  readonly #defaultConcern: WriteConcern;

  constructor({ replica, valueBytesMax, defaultConcern }: KeyValueOptions) {
    this.#replica = replica;
    this.#valueBytesMax = valueBytesMax;
    this.#defaultConcern = defaultConcern;
  }

  /** The entry of a key; unset when there is none. */
  get(request: GetRequest): MessageInitShape<typeof GetResponseSchema> {
    const key = requireKey(request.key);
    refuseUnserved(request);
    const nowMs = this.#replica.nowMs();
    const entry = this.#replica.get(key);
    const reply: MessageInitShape<typeof GetResponseSchema> = {};
    if (isLive(entry, nowMs)) reply.entry = entryToMessage(entry);
    if (entry !== undefined && request.includeConflicts) {
      const losers = conflictsOf(entry).filter((loser) => !isExpired(loser, nowMs));
      reply.conflicts = withinPage(losers).map((loser) => recordToMessage(loser));
    }
    return reply;
  }

  /** Writes one key. */
  async set(request: SetRequest, call: CallInfo): Promise<MessageInitShape<typeof SetResponseSchema>> {
    const write: LocalWrite = {
      key: requireKey(request.key),
      value: requireValue(request.value, this.#valueBytesMax),
      expiresAtMs: requireExpiry(request.ttl, this.#replica.nowMs()),
      condition: requireCondition(request.condition),
    };
    const concern = requireConcern(request.concern, this.#defaultConcern);
    refuseUnserved(request);
    const outcome = await this.#write([write], concern, call);
    return { version: lastVersion(outcome), replicas: outcome.replicas };
  }

  /** Deletes one key, or every current key under a prefix. */
  async delete(
    request: DeleteRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof DeleteResponseSchema>> {
    const concern = requireConcern(request.concern, this.#defaultConcern);
    const condition = requireCondition(request.condition);
    refuseUnserved(request);
    const { target } = request;
    switch (target.case) {
      case "key": {
        if (request.all) throw invalid("all", "goes with an empty prefix, not with a key: leave it out");
        const key = requireKey(target.value);
        const outcome = await this.#write([deletion(key, condition)], concern, call);
        const deleted = outcome.existed[0] === true ? 1n : 0n;
        return { deleted, version: lastVersion(outcome), replicas: outcome.replicas };
      }
      case "prefix": {
        const prefix = requirePrefix(target.value);
        if (condition !== undefined) {
          throw invalid(
            "condition",
            "does not go with a prefix: delete the keys one by one, or without a condition",
          );
        }
        if (prefix === "" && !request.all) {
          throw invalid("prefix", "is empty, which means every key: set all to true if that is meant");
        }
        return await this.#deletePrefix(prefix, concern, call);
      }
      case undefined:
        throw invalid("target", "is missing: set key or prefix");
    }
  }

  /** Entries in key order, a page at a time. */
  async list(request: ListRequest, call: CallInfo): Promise<MessageInitShape<typeof ListResponseSchema>> {
    const { reverse, keysOnly } = request;
    let range = requireRange(request);
    refuseUnserved(request);
    if (request.pageToken !== "") {
      const token = decodePageToken(request, request.pageToken);
      if ("problem" in token) throw invalid("page_token", token.problem);
      range = rangeAfter(range, token.last, reverse);
    }
    if (isEmptyRange(range)) return {};
    const page = { range, reverse, keysOnly, limit: pageSize(request.pageSize) };
    const { items, continueAfter } = await collectPage(this.#replica, page, call, (entry) =>
      entryToMessage(entry, { keysOnly }),
    );
    const nextPageToken = continueAfter === undefined ? "" : encodePageToken(request, continueAfter);
    return { entries: [...items], nextPageToken };
  }

  /** Several writes as one commit. */
  async batch(request: BatchRequest, call: CallInfo): Promise<MessageInitShape<typeof BatchResponseSchema>> {
    const concern = requireConcern(request.concern, this.#defaultConcern);
    refuseUnserved(request);
    const writes = requireBatch(request.writes, this.#valueBytesMax, this.#replica.nowMs());
    const { versions, replicas } = await this.#write(writes, concern, call);
    return { versions: versions.map(formatVersion), replicas };
  }

  #write(
    writes: readonly LocalWrite[],
    { concern, timeoutMs }: ConcernRequest,
    call: CallInfo,
  ): Promise<WriteOutcome> {
    const { signal } = call;
    signal.throwIfAborted();
    const options: WriteOptions = { concern, timeoutMs: concernWaitMs(timeoutMs, call, Date.now()), signal };
    return this.#replica.write(writes, options);
  }

  /**
   * One pass over the keys that are there, in commits of a bounded size. Only the last commit waits for other
   * replicas: a replica that holds it holds those before it.
   */
  async #deletePrefix(
    prefix: KeyText,
    concern: ConcernRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof DeleteResponseSchema>> {
    let range = prefixRange(prefix);
    let deleted = 0;
    let reply: MessageInitShape<typeof DeleteResponseSchema> = { deleted: 0n };
    for (;;) {
      const page = { range, reverse: false, keysOnly: true, limit: PREFIX_DELETE_BATCH };
      const { items, continueAfter } = await collectPage(this.#replica, page, call, ({ winner }) =>
        deletion(winner.key, undefined),
      );
      if (items.length === 0) return reply;
      const between = concern.concern.kind === "relaxed" ? concern : { ...concern, concern: LOCAL };
      try {
        const outcome = await this.#write(items, continueAfter === undefined ? concern : between, call);
        deleted += outcome.existed.filter(Boolean).length;
        reply = { deleted: BigInt(deleted), version: lastVersion(outcome), replicas: outcome.replicas };
      } catch (error) {
        throw withDeletedCount(error, deleted);
      }
      if (continueAfter === undefined) return reply;
      range = rangeAfter(range, continueAfter, false);
    }
  }
}

function deletion(key: KeyText, condition: LocalWrite["condition"]): LocalWrite {
  return { key, value: undefined, expiresAtMs: 0, condition };
}

function lastVersion({ versions }: WriteOutcome): string {
  const version = versions.at(-1);
  return version === undefined ? "" : formatVersion(version);
}

/** Losers as far as a reply holds them, at least one; `conflict_count` tells how many there are. */
function withinPage(losers: readonly WriteRecord[]): readonly WriteRecord[] {
  let bytes = 0;
  const over = losers.findIndex((loser, index) => {
    bytes += loser.value.length;
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return over < 0 ? losers : losers.slice(0, over);
}

/** A failure in the middle of a prefix delete: what was deleted before stays deleted, and the caller should know. */
function withDeletedCount(error: unknown, deleted: number): unknown {
  if (!(error instanceof MeshkvError) || deleted === 0) return error;
  const text = `${error.message} (${deleted} keys were deleted before that)`;
  return new MeshkvError(error.code, text, { ...error.metadata, deleted: String(deleted) });
}
