/** `GetMany`: several keys at one position of this replica. */
import { GET_MANY_KEYS_MAX, isLive, PAGE_BYTES_MAX } from "@meshkv/core";
import type { GetManyRequest, ManyResult } from "@meshkv/protocol";
import type { LocalReplica } from "./local-replica.ts";
import { readResult } from "./read-reply.ts";
import type { CallSession } from "./session.ts";
import { invalid, requireKey, tooLarge } from "./validate.ts";

/**
 * Reads the keys in one go: nothing happens to the replica between the first and the last.
 * @throws MeshkvError TOO_LARGE, naming the first key whose value does not fit any more: a reply holds 2 MiB of values,
 * and always the first
 */
export function getMany(replica: LocalReplica, request: GetManyRequest, session: CallSession): ManyResult {
  const { keys } = request;
  if (keys.length === 0) throw invalid("keys", "is empty: name at least one key");
  if (keys.length > GET_MANY_KEYS_MAX) {
    const text = `${keys.length} keys are over the limit of ${GET_MANY_KEYS_MAX}: ask several times`;
    throw tooLarge("keys", text, GET_MANY_KEYS_MAX);
  }
  const checked = keys.map((key, index) => requireKey(key, `keys[${index}]`));
  const nowMs = replica.nowMs();
  let bytes = 0;
  const results = checked.map((key, index) => {
    const entry = replica.get(key);
    session.read(entry);
    if (isLive(entry, nowMs)) bytes += key.length + entry.winner.value.length;
    if (bytes > PAGE_BYTES_MAX && index > 0) {
      const text = `the values up to this one are over ${PAGE_BYTES_MAX} bytes: ask for the keys before it first`;
      throw tooLarge(`keys[${index}]`, text, PAGE_BYTES_MAX);
    }
    return readResult(entry, nowMs, false, "");
  });
  return { results, session: session.text() };
}
