/**
 * Bounded cache of decoded entries, absent ones included. Two halves instead of a list: a hit in the old half moves to
 * the young one; when the young half is full it becomes the old one, and what nobody asked for since is gone. So a hot
 * key costs one lookup, and eviction is a pointer swap.
 */
import type { Entry, KeyText, WriteRecord } from "@meshkv/core";

/** Bytes that a decoded record takes beyond its encoded form: the object, two views, context. */
const RECORD_OBJECT_BYTES = 480;
/** Bytes of a cached key: the string and its place in the map. */
const SLOT_BYTES = 96;
/** A record that keeps a buffer this much larger than itself alive is copied. */
const SLACK_BYTES = 256;

export class EntryCache {
  readonly #halfBytesMax: number;
  #young = new Map<KeyText, Entry | null>();
  #old = new Map<KeyText, Entry | null>();
  #youngBytes = 0;
  #oldBytes = 0;
  /** Lookups that were answered, and that were not. */
  readonly counts = { hits: 0, misses: 0 };

  /** @param bytesMax estimated bytes that the cache may keep alive; 0 keeps nothing */
  constructor(bytesMax: number) {
    this.#halfBytesMax = Math.floor(bytesMax / 2);
  }

  /** Estimated bytes kept alive. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  /** The cached entry, null for a key known to be absent, undefined when nothing is known. */
  get(key: KeyText): Entry | null | undefined {
    const hit = this.#young.get(key);
    if (hit !== undefined) {
      this.counts.hits += 1;
      return hit;
    }
    const old = this.#old.get(key);
    if (old === undefined) {
      this.counts.misses += 1;
      return undefined;
    }
    this.counts.hits += 1;
    this.#old.delete(key);
    const bytes = weigh(key, old);
    this.#oldBytes -= bytes;
    this.#keep(key, old, bytes);
    return old;
  }

  /** Remembers the durable state of a key. */
  set(key: KeyText, entry: Entry | undefined): void {
    this.delete(key);
    const kept = entry === undefined ? null : compactEntry(entry);
    this.#keep(key, kept, weigh(key, kept));
  }

  /** Forgets a key. */
  delete(key: KeyText): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#young.delete(key);
      this.#youngBytes -= weigh(key, young);
      return;
    }
    const old = this.#old.get(key);
    if (old === undefined) return;
    this.#old.delete(key);
    this.#oldBytes -= weigh(key, old);
  }

  /** Forgets everything. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#oldBytes = 0;
  }

  #keep(key: KeyText, entry: Entry | null, bytes: number): void {
    if (bytes > this.#halfBytesMax) return;
    if (this.#youngBytes + bytes > this.#halfBytesMax) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, entry);
    this.#youngBytes += bytes;
  }
}

function weigh(key: KeyText, entry: Entry | null): number {
  let bytes = SLOT_BYTES + key.length;
  if (entry === null) return bytes;
  bytes += RECORD_OBJECT_BYTES + key.length + entry.winner.bytes.length;
  for (const sibling of entry.siblings) bytes += RECORD_OBJECT_BYTES + key.length + sibling.bytes.length;
  return bytes;
}

/** Records often are views of a whole network frame; a cached one must keep nothing else alive. */
function compactEntry(entry: Entry): Entry {
  const winner = compactRecord(entry.winner);
  const siblings = entry.siblings.map(compactRecord);
  const isCompact =
    winner === entry.winner && siblings.every((sibling, index) => sibling === entry.siblings[index]);
  return isCompact ? entry : { winner, siblings };
}

function compactRecord(record: WriteRecord): WriteRecord {
  const { bytes } = record;
  if (bytes.buffer.byteLength <= bytes.length * 2 + SLACK_BYTES) return record;
  const copy = new Uint8Array(bytes);
  return { ...record, bytes: copy, value: copy.subarray(copy.length - record.value.length) };
}
