import { BATCH_BYTES_MAX, BATCH_WRITES_MAX, type KeyText } from "@meshkv/core";
import type { DeleteRequest, SetRequest, Write } from "@meshkv/protocol";
import type { LocalWrite } from "./local-replica.ts";
import { quoteBytes } from "./quote-bytes.ts";
import { invalid, requireCondition, requireExpiry, requireKey, requireValue, tooLarge } from "./validate.ts";

/** The writes of a batch: 1 to 1,000, up to 4 MiB of keys and values, no key twice. */
export function requireBatch(writes: readonly Write[], valueBytesMax: number, nowMs: number): LocalWrite[] {
  if (writes.length === 0) throw invalid("writes", "is empty: a batch has at least one write");
  if (writes.length > BATCH_WRITES_MAX) {
    const text = `${writes.length} writes are over the limit of ${BATCH_WRITES_MAX}: send several batches`;
    throw tooLarge("writes", text, BATCH_WRITES_MAX);
  }
  const indexOf = new Map<KeyText, number>();
  let bytes = 0;
  return writes.map((write, index) => {
    const local = requireWrite(write, `writes[${index}]`, valueBytesMax, nowMs);
    const earlier = indexOf.get(local.key);
    if (earlier !== undefined) {
      const key = quoteBytes(Uint8Array.from(local.key, (character) => character.charCodeAt(0)));
      throw invalid(
        `writes[${index}]`,
        `writes ${key}, as writes[${earlier}] does: send one write for each key`,
      );
    }
    indexOf.set(local.key, index);
    bytes += local.key.length + (local.value?.length ?? 0);
    if (bytes > BATCH_BYTES_MAX) {
      const text = `keys and values are over ${BATCH_BYTES_MAX} bytes at writes[${index}]: send several batches`;
      throw tooLarge("writes", text, BATCH_BYTES_MAX);
    }
    return local;
  });
}

function requireWrite({ kind }: Write, field: string, valueBytesMax: number, nowMs: number): LocalWrite {
  switch (kind.case) {
    case "set": {
      refuseOwn(kind.value, `${field}.set`);
      const { key, value, ttl, condition } = kind.value;
      return {
        key: requireKey(key, `${field}.set.key`),
        value: requireValue(value, valueBytesMax, `${field}.set.value`),
        expiresAtMs: requireExpiry(ttl, nowMs, `${field}.set.ttl`),
        condition: requireCondition(condition, `${field}.set.condition`),
      };
    }
    case "delete": {
      refuseOwn(kind.value, `${field}.delete`);
      const { target, condition, all } = kind.value;
      if (target.case === "prefix" || all) {
        throw invalid(`${field}.delete`, "deletes a prefix, which a batch cannot: call Delete for it");
      }
      if (target.case === undefined) throw invalid(`${field}.delete.target`, "is missing: set key");
      return {
        key: requireKey(target.value, `${field}.delete.key`),
        value: undefined,
        expiresAtMs: 0,
        condition: requireCondition(condition, `${field}.delete.condition`),
      };
    }
    case undefined:
      throw invalid(field, "is no write that is known here: set set or delete");
  }
}

/** A write inside a batch has no concern, session or request id of its own: those are the batch's. */
function refuseOwn(write: SetRequest | DeleteRequest, field: string): void {
  const own =
    write.concern !== undefined
      ? "concern"
      : write.session !== ""
        ? "session"
        : write.requestId !== ""
          ? "request_id"
          : undefined;
  if (own !== undefined) throw invalid(`${field}.${own}`, "belongs to the batch as a whole: set it there");
}
