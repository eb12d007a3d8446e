/** Deletes of all keys under a prefix: one pass over the keys that are there, in commits of a bounded size. */
import { type KeyText, MeshkvError, PREFIX_DELETE_BATCH, REQUEST_ID_MS, type Version } from "@meshkv/core";
import type { CallInfo } from "./call-info.ts";
import { prefixRange, rangeAfter } from "./key-range.ts";
import type { LocalReplica, LocalWrite, RequestMark, WriteConcern, WriteOutcome } from "./local-replica.ts";
import { collectPage } from "./page.ts";
import { type ConcernRequest, invalid } from "./validate.ts";

const LOCAL: WriteConcern = { kind: "replicas", count: 1 };
/** Prefix deletes with a request id that are remembered: they are rare, and large. */
const REMEMBERED_MAX = 1000;

/** What a prefix delete has done. */
export interface PrefixDeleteOutcome {
  readonly deleted: number;
  /** Of the last commit; none when there was nothing to delete. */
  readonly versions: readonly Version[];
  readonly replicas: number;
}

/** Writes one commit of the delete. */
export type WriteCommit = (writes: readonly LocalWrite[], concern: ConcernRequest) => Promise<WriteOutcome>;

/**
 * Only the last commit waits for other replicas: a replica that holds it holds those before it.
 * @throws MeshkvError with `deleted` in its metadata when some keys were deleted before the failure
 */
export async function deletePrefix(
  replica: LocalReplica,
  prefix: KeyText,
  concern: ConcernRequest,
  call: CallInfo,
  write: WriteCommit,
): Promise<PrefixDeleteOutcome> {
  let range = prefixRange(prefix);
  let done: PrefixDeleteOutcome = { deleted: 0, versions: [], replicas: 0 };
  for (;;) {
    const page = { range, reverse: false, keysOnly: true, limit: PREFIX_DELETE_BATCH };
    const { items, continueAfter } = await collectPage(
      replica,
      page,
      call,
      ({ winner }): LocalWrite => ({
        key: winner.key,
        value: undefined,
        expiresAtMs: 0,
        condition: undefined,
      }),
    );
    if (items.length === 0) return done;
    const between = concern.concern.kind === "relaxed" ? concern : { ...concern, concern: LOCAL };
    try {
      const { existed, versions, replicas } = await write(
        items,
        continueAfter === undefined ? concern : between,
      );
      done = { deleted: done.deleted + existed.filter(Boolean).length, versions, replicas };
    } catch (error) {
      throw withDeletedCount(error, done.deleted);
    }
    if (continueAfter === undefined) return done;
    range = rangeAfter(range, continueAfter, false);
  }
}

/** A failure in the middle: what was deleted before stays deleted, and the caller should know. */
function withDeletedCount(error: unknown, deleted: number): unknown {
  if (!(error instanceof MeshkvError) || deleted === 0) return error;
  const text = `${error.message} (${deleted} keys were deleted before that)`;
  return new MeshkvError(error.code, text, { ...error.metadata, deleted: String(deleted) });
}

/**
 * Prefix deletes by their request id, under way or done. They are many commits, so no one row could hold their outcome:
 * after a restart a retry deletes what is there then.
 */
export class PrefixDeletes {
  readonly #known = new Map<
    string,
    { readonly content: number; readonly outcome: Promise<PrefixDeleteOutcome>; readonly atMs: number }
  >();

  /** Runs the delete, or returns what comes of it where it was begun before. */
  once(
    mark: RequestMark | undefined,
    nowMs: number,
    work: () => Promise<PrefixDeleteOutcome>,
  ): Promise<PrefixDeleteOutcome> {
    if (mark === undefined) return work();
    const known = this.#known.get(mark.id);
    if (known !== undefined && nowMs - known.atMs <= REQUEST_ID_MS) {
      if (known.content === mark.content) return known.outcome;
      throw invalid("request_id", "stood for another delete: take a new id for every write");
    }
    const outcome = work();
    this.#known.set(mark.id, { content: mark.content, outcome, atMs: nowMs });
    // What failed is done by the retry.
    outcome.catch(() => this.#known.delete(mark.id));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED_MAX) break;
      this.#known.delete(oldest);
    }
    return outcome;
  }
}
