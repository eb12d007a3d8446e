/**
 * What the writer's replica had seen of a key when it wrote: per origin, the latest version of that key. A record
 * *covers* a version that is in its context.
 *
 * Departure from the usual dotted version vectors: a context names only what is needed. What is at or below the
 * writer's horizon was applied by every member, together with everything that covered it, so a context names the
 * records that the writer still knew of the key, and repeats their contexts only as far as those lie above the horizon
 * or come from origins for which the horizon did not wait (docs/decisions/0001-contexts-without-base.md).
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { FormatError } from "./bytes.ts";
import type { ReplicaId } from "./ids.ts";
import type { Timestamp } from "./timestamp.ts";
import type { Version } from "./version.ts";

/** Versions sorted by origin, at most one per origin. */
export type Context = readonly Version[];

/** The context of a writer that knew nothing of the key. */
export const EMPTY_CONTEXT: Context = [];

/** Whether the context contains the version. */
export function contextCovers(context: Context, origin: ReplicaId, timestamp: Timestamp): boolean {
  for (const seen of context) if (seen.origin === origin) return seen.timestamp >= timestamp;
  return false;
}

/** Collects versions into a context. */
export class ContextBuilder {
  readonly #latest = new Map<ReplicaId, Timestamp>();

  add(origin: ReplicaId, timestamp: Timestamp): void {
    const known = this.#latest.get(origin);
    if (known === undefined || known < timestamp) this.#latest.set(origin, timestamp);
  }

  build(): Context {
    if (this.#latest.size === 0) return EMPTY_CONTEXT;
    const all = Array.from(this.#latest, ([origin, timestamp]) => ({ origin, timestamp }));
    return all.sort((a, b) => (a.origin < b.origin ? -1 : 1));
  }
}

/** `context = varint count, count * (id origin, u64 timestamp)`, origins ascending. */
export function writeContext(writer: ByteWriter, context: Context): void {
  writer.varint(context.length);
  for (const { origin, timestamp } of context) writer.id(origin).u64(timestamp);
}

export function readContext(reader: ByteReader): Context {
  const count = reader.count(16);
  if (count === 0) return EMPTY_CONTEXT;
  // Most contexts name one version, and an array that grows takes room for many.
  const context: Version[] = [readVersion(reader)];
  for (let index = 1; index < count; index += 1) {
    const next = readVersion(reader);
    if (context[index - 1]!.origin >= next.origin) throw new FormatError("context not sorted");
    context.push(next);
  }
  return context;
}

function readVersion(reader: ByteReader): Version {
  const origin = reader.id() as ReplicaId;
  return { origin, timestamp: reader.u64() };
}
