/** meshkv.v1.KeyValue as plain functions from request to reply. */
import { conflictsOf, crc32c, type Entry, type KeyText } from "@meshkv/core";
import {
  type BatchRequest,
  type BatchResponseSchema,
  type DeleteRequest,
  type DeleteResponseSchema,
  entryToMessage,
  type GetManyRequest,
  type GetManyResponseSchema,
  type GetRequest,
  type GetResponseSchema,
  ListReply,
  type ListRequest,
  type ListResponseSchema,
  type ManyResult,
  type MessageInitShape,
  type PipelineRequest,
  type ReadResult,
  type SetRequest,
  type SetResponseSchema,
  type SetResult,
} from "@meshkv/protocol";
import { type CallInfo, requireOpen } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import { getMany } from "./get-many.ts";
import { isEmptyRange, rangeAfter } from "./key-range.ts";
import type { LocalReplica, LocalWrite, WriteOptions, WriteOutcome } from "./local-replica.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import { collectPage } from "./page.ts";
import { answerPipeline, type PipelineMeters } from "./pipeline.ts";
import { deletePrefix, PrefixDeletes } from "./prefix-delete.ts";
import { readReply, readResult } from "./read-reply.ts";
import { requireMark } from "./request-mark.ts";
import { CallSession, Sessions } from "./session.ts";
import {
  type ConcernRequest,
  invalid,
  pageSize,
  requireCondition,
  requireConcern,
  requireKey,
  requirePrefix,
  requireRange,
} from "./validate.ts";
import {
  batchReply,
  deleteReply,
  lastVersion,
  planBatch,
  planDelete,
  type PlanOptions,
  planSet,
  setReply,
  setResult,
  type WritePlan,
} from "./write-plan.ts";

/** What the handlers are told at start. */
export interface KeyValueOptions extends PlanOptions {
  readonly replica: LocalReplica;
  /** Counts the operations of pipelines; undefined: nobody does. */
  readonly pipelined?: PipelineMeters | undefined;
}

type DeleteReply = MessageInitShape<typeof DeleteResponseSchema>;
type GetReply = MessageInitShape<typeof GetResponseSchema>;

const NO_BYTES = new Uint8Array(0);

/** Answers the calls of `meshkv.v1.KeyValue`. */
export class KeyValueHandlers {
  readonly #replica: LocalReplica;
  readonly #options: KeyValueOptions;
  readonly #sessions: Sessions;
  readonly #prefixDeletes = new PrefixDeletes();

  constructor(options: KeyValueOptions) {
    this.#replica = options.replica;
    this.#options = options;
    this.#sessions = new Sessions(options.replica);
  }

  /** The entry of a key; unset when there is none. */
  get(request: GetRequest, call: CallInfo): GetReply | Promise<GetReply> {
    const result = this.read(request, call);
    return result instanceof Promise ? result.then(readReply) : readReply(result);
  }

  /** As `get`, in terms of the core. */
  read(request: GetRequest, call: CallInfo): ReadResult | Promise<ReadResult> {
    const key = requireKey(request.key);
    const session = this.#sessions.enter(request.session, call);
    if (session instanceof CallSession) return this.#read(key, request.includeConflicts, session);
    return session.then((entered) => this.#read(key, request.includeConflicts, entered));
  }

  #read(key: KeyText, withConflicts: boolean, session: CallSession): ReadResult {
    const entry = this.#replica.get(key);
    session.read(entry);
    return readResult(entry, this.#replica.nowMs(), withConflicts, session.text());
  }

  /** Several keys at one position. */
  async getMany(
    request: GetManyRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof GetManyResponseSchema>> {
    const { results, session } = await this.readMany(request, call);
    return { responses: results.map(readReply), session };
  }

  /** As `getMany`, in terms of the core. */
  async readMany(request: GetManyRequest, call: CallInfo): Promise<ManyResult> {
    return getMany(this.#replica, request, await this.#sessions.enter(request.session, call));
  }

  /** Writes one key. */
  async set(request: SetRequest, call: CallInfo): Promise<MessageInitShape<typeof SetResponseSchema>> {
    return setReply(await this.write(request, call));
  }

  /** As `set`, in terms of the core. */
  async write(request: SetRequest, call: CallInfo): Promise<SetResult> {
    const plan = planSet(request, this.#options, this.#replica.nowMs());
    const session = this.#sessions.enter(request.session, call);
    return this.#writePlan(plan, session instanceof CallSession ? session : await session, call, setResult);
  }

  /** Deletes one key, or every current key under a prefix. */
  async delete(request: DeleteRequest, call: CallInfo): Promise<DeleteReply> {
    const { target } = request;
    if (target.case === "key") {
      const plan = planDelete(request, target.value, this.#options);
      const session = await this.#sessions.enter(request.session, call);
      return this.#writePlan(plan, session, call, deleteReply);
    }
    const concern = requireConcern(request.concern, this.#options.defaultConcern);
    const condition = requireCondition(request.condition);
    if (target.case === undefined) throw invalid("target", "is missing: set key or prefix");
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
    const session = await this.#sessions.enter(request.session, call);
    return this.#deletePrefix(request, prefix, concern, session, call);
  }

  /** Entries in key order, a page at a time. */
  async list(request: ListRequest, call: CallInfo): Promise<MessageInitShape<typeof ListResponseSchema>> {
    const { keysOnly } = request;
    const page = await this.#list(request, call, (entry) => entryToMessage(entry, { keysOnly }));
    return { ...page, entries: [...page.entries] };
  }

  /** As `list`, with the reply in its encoding. */
  async listEncoded(request: ListRequest, call: CallInfo): Promise<Buffer> {
    const reply = new ListReply(request.keysOnly);
    const { nextPageToken, session } = await this.#list(request, call, (entry) =>
      reply.add(entry.winner, entry.siblings.length === 0 ? 0 : conflictsOf(entry).length),
    );
    return reply.finish(nextPageToken, session);
  }

  async #list<Item>(
    request: ListRequest,
    call: CallInfo,
    take: (entry: Entry) => Item,
  ): Promise<{
    readonly entries: readonly Item[];
    readonly nextPageToken: string;
    readonly session: string;
  }> {
    const { reverse, keysOnly } = request;
    let range = requireRange(request);
    if (request.pageToken !== "") {
      const token = decodePageToken(request, request.pageToken);
      if ("problem" in token) throw invalid("page_token", token.problem);
      range = rangeAfter(range, token.last, reverse);
    }
    const session = await this.#sessions.enter(request.session, call);
    if (isEmptyRange(range)) return { entries: [], nextPageToken: "", session: session.text() };
    const page = { range, reverse, keysOnly, limit: pageSize(request.pageSize), seen: session.token };
    const { items, continueAfter } = await collectPage(this.#replica, page, call, take);
    const nextPageToken = continueAfter === undefined ? "" : encodePageToken(request, continueAfter);
    return { entries: items, nextPageToken, session: session.text() };
  }

  /** Many operations under way on one stream. Answers `PipelineResponse`s in their encoding. */
  pipeline(requests: AsyncIterable<PipelineRequest>, call: CallInfo): AsyncIterable<Buffer> {
    const { replica, pipelined, ...options } = this.#options;
    const meters = pipelined ?? (() => undefined);
    return answerPipeline(
      { replica, sessions: this.#sessions, options, unary: this, meters },
      requests,
      call,
    );
  }

  /** Several writes as one commit. */
  async batch(request: BatchRequest, call: CallInfo): Promise<MessageInitShape<typeof BatchResponseSchema>> {
    const plan = planBatch(request, this.#options, this.#replica.nowMs());
    const session = await this.#sessions.enter(request.session, call);
    return this.#writePlan(plan, session, call, batchReply);
  }

  async #writePlan<Reply>(
    { writes, concern, mark }: WritePlan,
    session: CallSession,
    call: CallInfo,
    reply: (outcome: WriteOutcome, session: string) => Reply,
  ): Promise<Reply> {
    let outcome: WriteOutcome;
    try {
      outcome = await this.#write(writes, concern, call, mark);
    } catch (error) {
      throw session.failed(error);
    }
    session.written(outcome.versions, outcome.replicas > 0);
    return reply(outcome, session.text());
  }

  #write(
    writes: readonly LocalWrite[],
    { concern, timeoutMs }: ConcernRequest,
    call: CallInfo,
    request?: WriteOptions["request"],
  ): Promise<WriteOutcome> {
    requireOpen(call);
    const waitMs = concernWaitMs(timeoutMs, call, Date.now());
    return this.#replica.write(writes, { concern, timeoutMs: waitMs, call, request });
  }

  async #deletePrefix(
    { target, requestId }: DeleteRequest,
    prefix: KeyText,
    concern: ConcernRequest,
    session: CallSession,
    call: CallInfo,
  ): Promise<DeleteReply> {
    const mark = requireMark(requestId, () => crc32c(target.value ?? NO_BYTES));
    const { deleted, versions, replicas } = await this.#prefixDeletes.once(mark, this.#replica.nowMs(), () =>
      deletePrefix(this.#replica, prefix, concern, call, (writes, asked) => this.#write(writes, asked, call)),
    );
    session.written(versions, replicas > 0);
    return { deleted: BigInt(deleted), version: lastVersion(versions), replicas, session: session.text() };
  }
}
