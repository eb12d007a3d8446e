/** meshkv.peer.v1.Comparison as plain functions: what a replica tells another that compares tables. */
import {
  formatVersion,
  type HeldEntry,
  type KeyText,
  keyTextFromBytes,
  keyTextToBytes,
  MeshkvError,
} from "@meshkv/core";
import {
  type CheckTableRequest,
  type CheckTableResponseSchema,
  type ComparisonScope as ScopeMessage,
  type DescribeKeysRequest,
  type DescribeKeysResponseSchema,
  type DescribeRangeRequest,
  type DescribeRangeResponseSchema,
  type EntryDescriptionSchema,
  type MessageInitShape,
  type SummarizeRangeRequest,
  type SummarizeRangeResponseSchema,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import { type ComparedTable, type ComparisonScope, LocalSide } from "./comparison.ts";
import { invalid, tooLarge } from "./validate.ts";

/** Bytes of rows that one call reads at most. */
export const STRETCH_BYTES_MAX = 512 * 1024;
/** Keys that one call may name. */
export const KEYS_MAX = 500;
/** Whole tables that are read at a time; each takes a share of one core. */
const CHECKS_MAX = 8;

/** Answers the calls of `meshkv.peer.v1.Comparison`. */
export class ComparisonHandlers {
  readonly #table: ComparedTable;
  readonly #side: LocalSide;
  #checks = 0;

  constructor(table: ComparedTable) {
    this.#table = table;
    this.#side = new LocalSide(table);
  }

  async summarizeRange(
    request: SummarizeRangeRequest,
  ): Promise<MessageInitShape<typeof SummarizeRangeResponseSchema>> {
    const scope = this.#admit(request.scope);
    const { last, entries, sum } = await this.#side.summarize(
      scope,
      optionalKey(request.after),
      boundBytes(request.bytesMax),
    );
    const reply = { entries: BigInt(entries), sum };
    return last === undefined ? reply : { ...reply, last: keyTextToBytes(last) };
  }

  async describeRange(
    request: DescribeRangeRequest,
  ): Promise<MessageInitShape<typeof DescribeRangeResponseSchema>> {
    const scope = this.#admit(request.scope);
    const stretch = { after: optionalKey(request.after), last: optionalKey(request.last) };
    const { entries, next } = await this.#side.describe(scope, stretch, boundBytes(request.bytesMax));
    const reply = { entries: entries.map(descriptionOf) };
    return next === undefined ? reply : { ...reply, next: keyTextToBytes(next) };
  }

  describeKeys(request: DescribeKeysRequest): MessageInitShape<typeof DescribeKeysResponseSchema> {
    const scope = this.#admit(request.scope);
    if (request.keys.length > KEYS_MAX)
      throw tooLarge("keys", `${request.keys.length} are over the limit of ${KEYS_MAX}`, KEYS_MAX);
    const positions = this.#table.positions();
    const { entries, digest } = this.#side.held(scope, request.keys.map(keyTextFromBytes));
    return {
      entries: entries.map(descriptionOf),
      vector: positions.map(({ origin, timestamp }) => ({ origin, timestamp: BigInt(timestamp) })),
      digest,
    };
  }

  async checkTable(
    request: CheckTableRequest,
    call: CallInfo,
  ): Promise<MessageInitShape<typeof CheckTableResponseSchema>> {
    const scope = this.#admit(request.scope);
    if (this.#checks >= CHECKS_MAX)
      throw new MeshkvError("OVERLOADED", `${CHECKS_MAX} checks of the table are under way here: try later`);
    this.#checks += 1;
    try {
      const { keys, digest, computedDigest, damagedRows } = await this.#side.check(scope, call.signal);
      return { keys: BigInt(keys), digest, computedDigest, damagedRows: BigInt(damagedRows) };
    } finally {
      this.#checks -= 1;
    }
  }

  #admit(message: ScopeMessage | undefined): ComparisonScope {
    if (message === undefined) throw invalid("scope", "is missing");
    const { meshId } = this.#table.identity();
    if (message.meshId !== meshId)
      throw new MeshkvError(
        "WRONG_MESH",
        `this replica belongs to the mesh ${meshId}, not ${message.meshId}`,
      );
    return { meshId, deadlinesAfterMs: Number(message.deadlinesAfterMs) };
  }
}

function optionalKey(bytes: Uint8Array | undefined): KeyText | undefined {
  return bytes && keyTextFromBytes(bytes);
}

function boundBytes(requested: number): number {
  return Math.min(Math.max(1, requested), STRETCH_BYTES_MAX);
}

function descriptionOf({
  key,
  version,
  checksum,
  compared,
}: HeldEntry): MessageInitShape<typeof EntryDescriptionSchema> {
  const text = version === undefined ? "" : formatVersion(version);
  return { key: keyTextToBytes(key), version: text, checksum, compared };
}
