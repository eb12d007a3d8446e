/** The calls of meshkv.v1.KeyValue that show and settle conflicts. */
import {
  ByteWriter,
  crc32c,
  isExpired,
  type KeyText,
  MeshkvError,
  PAGE_BYTES_MAX,
  parseVersion,
  type Version,
} from "@meshkv/core";
import {
  entryToMessage,
  type ListConflictsRequest,
  type ListConflictsResponseSchema,
  type ListConflictsResponse_ConflictSchema,
  type MessageInitShape,
  recordToMessage,
  type RestoreConflictRequest,
  type RestoreConflictResponseSchema,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import { isEmptyRange, prefixRange, rangeAfter } from "./key-range.ts";
import type { KeyConflicts, LocalReplica, LocalWrite, WriteConcern, WriteOptions } from "./local-replica.ts";
import { decodePageToken, encodePageToken, type PagedQuery } from "./page-token.ts";
import { quoteBytes, quoteText } from "./quote-bytes.ts";
import { requireMark } from "./request-mark.ts";
import { Sessions } from "./session.ts";
import { invalid, pageSize, requireConcern, requireKey, requirePrefix } from "./validate.ts";
import { lastVersion } from "./write-plan.ts";

/** What the handlers are told at start. */
export interface ConflictOptions {
  readonly replica: LocalReplica;
  /** The concern of writes that name none. */
  readonly defaultConcern: WriteConcern;
}

const NO_BYTES = new Uint8Array(0);

/** Answers `ListConflicts` and `RestoreConflict`. */
export class ConflictHandlers {
  readonly #replica: LocalReplica;
  readonly #defaultConcern: WriteConcern;
  readonly #sessions: Sessions;

  constructor({ replica, defaultConcern }: ConflictOptions) {
    this.#replica = replica;
    this.#sessions = new Sessions(replica);
    this.#defaultConcern = defaultConcern;
  }

  /** Keys with kept losers, in key order, a page at a time. */
  async list(
    request: ListConflictsRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof ListConflictsResponseSchema>> {
    const prefix = requirePrefix(request.prefix);
    const query: PagedQuery = {
      prefix: request.prefix,
      start: NO_BYTES,
      end: NO_BYTES,
      reverse: false,
      conflicts: request.includeSettled ? "all" : "unsettled",
    };
    let range = prefixRange(prefix);
    if (request.pageToken !== "") {
      const token = decodePageToken(query, request.pageToken);
      if ("problem" in token) throw invalid("page_token", token.problem);
      range = rangeAfter(range, token.last, false);
    }
    await this.#sessions.enter(request.session, call);
    if (isEmptyRange(range)) return {};
    call.signal.throwIfAborted();
    const { found, more } = await this.#replica.conflicts({
      ...range,
      limit: pageSize(request.pageSize),
      bytesMax: PAGE_BYTES_MAX,
      withSettled: request.includeSettled,
    });
    const last = found.at(-1)?.key;
    return {
      conflicts: found.map(conflictMessage),
      nextPageToken: more && last !== undefined ? encodePageToken(query, last) : "",
    };
  }

  /** Writes a kept loser again: a new write that has seen the winner and all losers, so that it settles them. */
  async restore(
    request: RestoreConflictRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof RestoreConflictResponseSchema>> {
    const key = requireKey(request.key);
    const version = requireVersion(request.version);
    const { concern, timeoutMs } = requireConcern(request.concern, this.#defaultConcern);
    // A retry finds the loser again: what it settled the first time is still kept.
    const mark = requireMark(request.requestId, () => contentOf(key, request.version));
    const session = await this.#sessions.enter(request.session, call);
    call.signal.throwIfAborted();
    const loser = await this.#replica.loser(key, version);
    const named = `${quoteBytes(request.key)} has no kept loser of version ${request.version}`;
    if (loser === undefined) {
      throw new MeshkvError(
        "NOT_FOUND",
        `${named} on this replica: list the conflicts to see what can be restored`,
      );
    }
    const { value, expiresAtMs } = loser.record;
    if (isExpired(loser.record, this.#replica.nowMs())) {
      throw new MeshkvError("NOT_FOUND", `${named}: its time to live has passed`);
    }
    const write: LocalWrite = { key, value, expiresAtMs, condition: undefined };
    const options: WriteOptions = {
      concern,
      timeoutMs: concernWaitMs(timeoutMs, call, Date.now()),
      call,
      request: mark,
    };
    const outcome = await this.#replica.write([write], options).catch((error: unknown) => {
      throw session.failed(error);
    });
    const { versions, replicas } = outcome;
    session.written(versions, replicas > 0);
    return { version: lastVersion(versions), replicas, session: session.text() };
  }
}

function contentOf(key: KeyText, version: string): number {
  return crc32c(new ByteWriter(64).key(key).text(version).finish());
}

function requireVersion(text: string): Version {
  const version = parseVersion(text);
  if (version !== undefined) return version;
  throw invalid(
    "version",
    `${quoteText(text)} is no version: send the 32 hex digits of a loser, as ListConflicts or Get has shown it`,
  );
}

function conflictMessage({
  entry,
  losers,
}: KeyConflicts): MessageInitShape<typeof ListConflictsResponse_ConflictSchema> {
  const message: MessageInitShape<typeof ListConflictsResponse_ConflictSchema> = {
    losers: losers.map(({ record, isSettled }) => {
      const loser = recordToMessage(record);
      loser.settled = isSettled;
      return loser;
    }),
  };
  if (entry !== undefined) message.winner = entryToMessage(entry);
  return message;
}
