/** Request ids of writes: checked, and bound to what was asked for. */
import { ByteWriter, crc32c, REQUEST_ID_LENGTH_MAX } from "@meshkv/core";
import type { LocalWrite, RequestMark } from "./local-replica.ts";
import { tooLarge } from "./validate.ts";

/** The mark of a request; undefined where it has no id. `content` is asked only then. */
export function requireMark(id: string, content: () => number): RequestMark | undefined {
  if (id === "") return undefined;
  if (id.length > REQUEST_ID_LENGTH_MAX) {
    const text = `is ${id.length} characters long: take 1 to ${REQUEST_ID_LENGTH_MAX}, such as a UUID`;
    throw tooLarge("request_id", text, REQUEST_ID_LENGTH_MAX);
  }
  return { id, content: content() };
}

/** What some writes ask for, as a checksum. Deadlines count by their distance: a retry comes later. */
export function contentOf(writes: readonly LocalWrite[], nowMs: number): number {
  const writer = new ByteWriter(64);
  let checksum = 0;
  for (const { key, value, expiresAtMs, condition } of writes) {
    writer.key(key).u8(value === undefined ? 0 : 1);
    writer.varint(expiresAtMs === 0 ? 0 : Math.max(0, expiresAtMs - Math.floor(nowMs)));
    writer.text(condition?.kind ?? "");
    if (condition?.kind === "version") writer.id(condition.version.origin).u64(condition.version.timestamp);
    // Values can be large: they are not copied.
    if (value !== undefined) checksum = crc32c(value, 0, value.length, checksum);
  }
  return crc32c(writer.finish(), 0, writer.length, checksum);
}
