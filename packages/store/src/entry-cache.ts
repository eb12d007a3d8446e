/**
 * Bounded cache of entries, absent ones included, in their encoded form: what it takes is what it was given, and a
 * garbage collector that looks for live objects finds a few arrays, however many keys there are.
 *
 * Entries lie one after another in segments. When the last segment is full, the oldest one is used again: what was asked
 * for since it was written moves to the segment's front, as far as that is half of it, and the rest is gone. A table of
 * chains leads from keys to entries. Only of the hottest keys the entry is kept as an object, too.
 */
import {
  decodeKeptEntry,
  type Entry,
  entryBytes,
  invariant,
  type KeyText,
  putEntry,
  putKeyText,
} from "@meshkv/core";

/** Segments that the cache is divided into, where that makes none too small: with each goes that share of it at once. */
const SEGMENTS = 64;
const SEGMENT_BYTES_MIN = 4096;
/** Segments of a cache that is too small for those. */
const SEGMENTS_MIN = 4;
/** Bytes of the cache for one chain: about as much as a small entry takes. */
const BYTES_PER_CHAIN = 256;

/** Words before an entry's key: the next place of the chain, the key's hash, lengths, and whether it was asked for. */
const NEXT = 0;
const HASH = 1;
/** Words of the whole item. */
const SIZE = 2;
const KEY_BYTES = 3;
/** Bytes of the encoded entry; 0 for a key that is known to be absent. */
const ENTRY_BYTES = 4;
const STATE = 5;
const HEAD_WORDS = 6;

const DEAD = 0;
const KEPT = 1;
const ASKED_FOR = 2;

/** Places for entries that are kept as objects as well; a power of two. */
const FRONT_SLOTS = 2048;
/** Greater entries are not: so all of them take a few megabytes at most. */
const FRONT_ENTRY_BYTES_MAX = 1024;

interface Hot {
  readonly key: KeyText;
  readonly entry: Entry;
}

interface Segment {
  readonly words: Int32Array;
  /** The same memory. */
  readonly bytes: Uint8Array;
  /** Words that are taken, dead items included. */
  used: number;
}

export class EntryCache {
  readonly #segmentWords: number;
  readonly #segmentsMax: number;
  readonly #segments: Segment[] = [];
  /** The segment that is being filled. */
  #current = 0;
  /** Per chain, the place of its first item; 0 for none. A place is a number of words over all segments, plus 1. */
  readonly #chains: Int32Array;
  /** Entries that were asked for again and again, as objects; each at the place that its key's hash says. */
  readonly #front: (Hot | undefined)[] = Array.from({ length: FRONT_SLOTS }, () => undefined);
  /** Which hash was asked for last of those that share a place: one that comes twice is hotter than the others. */
  readonly #askedLast = new Int32Array(FRONT_SLOTS);
  #bytes = 0;
  /** Lookups that were answered, and that were not. */
  readonly counts = { hits: 0, misses: 0 };

  /** @param bytesMax bytes that the cache may take; 0 keeps nothing */
  constructor(bytesMax: number) {
    this.#chains = new Int32Array(2 ** Math.max(4, Math.floor(Math.log2(bytesMax / BYTES_PER_CHAIN + 1))));
    const room = Math.max(0, bytesMax - this.#chains.byteLength);
    const share = Math.max(room / SEGMENTS, Math.min(room / SEGMENTS_MIN, SEGMENT_BYTES_MIN));
    this.#segmentWords = Math.floor(share / 4);
    this.#segmentsMax = this.#segmentWords === 0 ? 0 : Math.floor(room / (this.#segmentWords * 4));
  }

  /** Bytes of the entries that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that the cache has taken; it gives none back. */
  get allocatedBytes(): number {
    return this.#chains.byteLength + this.#segments.length * this.#segmentWords * 4;
  }

  /** The cached entry, null for a key known to be absent, undefined when nothing is known. */
  get(key: KeyText): Entry | null | undefined {
    const hash = hashOf(key);
    const hot = this.#front[hash & (FRONT_SLOTS - 1)];
    if (hot?.key === key) {
      this.counts.hits += 1;
      return hot.entry;
    }
    const place = this.#find(key, hash);
    if (place === 0) {
      this.counts.misses += 1;
      return undefined;
    }
    this.counts.hits += 1;
    const { words, bytes } = this.#segmentOf(place);
    const at = this.#offsetIn(place);
    words[at + STATE] = ASKED_FOR;
    const length = words[at + ENTRY_BYTES]!;
    if (length === 0) return null;
    const start = (at + HEAD_WORDS) * 4 + words[at + KEY_BYTES]!;
    const entry = decodeKeptEntry(bytes, start, start + length, key);
    const slot = hash & (FRONT_SLOTS - 1);
    if (this.#askedLast[slot] !== hash) this.#askedLast[slot] = hash;
    else if (length <= FRONT_ENTRY_BYTES_MAX) this.#front[slot] = { key, entry };
    return entry;
  }

  /** Remembers the durable state of a key. */
  set(key: KeyText, entry: Entry | undefined): void {
    const hash = hashOf(key);
    this.#front[hash & (FRONT_SLOTS - 1)] = undefined;
    const length = entry === undefined ? 0 : entryBytes(entry);
    const size = HEAD_WORDS + ((key.length + length + 3) >>> 2);
    let place = this.#find(key, hash);
    if (place !== 0) {
      const { words } = this.#segmentOf(place);
      const at = this.#offsetIn(place);
      const room = words[at + SIZE]!;
      if (size <= room && room <= size * 2) {
        words[at + STATE] = ASKED_FOR;
      } else {
        this.#drop(place);
        place = 0;
      }
    }
    if (place === 0) place = this.#append(key, hash, size);
    if (place === 0) return;
    const { words, bytes } = this.#segmentOf(place);
    const at = this.#offsetIn(place);
    words[at + ENTRY_BYTES] = length;
    if (entry === undefined) return;
    putEntry(bytes, (at + HEAD_WORDS) * 4 + key.length, entry);
  }

  /** Forgets a key. */
  delete(key: KeyText): void {
    if (this.#segments.length === 0) return;
    const hash = hashOf(key);
    this.#front[hash & (FRONT_SLOTS - 1)] = undefined;
    const place = this.#find(key, hash);
    if (place !== 0) this.#drop(place);
  }

  /** Forgets everything. */
  clear(): void {
    this.#front.fill(undefined);
    this.#chains.fill(0);
    for (const segment of this.#segments) segment.used = 0;
    this.#current = 0;
    this.#bytes = 0;
  }

  #segmentOf(place: number): Segment {
    return this.#segments[Math.floor((place - 1) / this.#segmentWords)]!;
  }

  #offsetIn(place: number): number {
    return (place - 1) % this.#segmentWords;
  }

  /** The place of a key; 0 when it is not here. */
  #find(key: KeyText, hash: number): number {
    let place = this.#chains[hash & (this.#chains.length - 1)]!;
    while (place !== 0) {
      const { words, bytes } = this.#segmentOf(place);
      const at = this.#offsetIn(place);
      if (words[at + HASH] === hash && words[at + KEY_BYTES] === key.length) {
        if (isKey(bytes, (at + HEAD_WORDS) * 4, key)) return place;
      }
      place = words[at + NEXT]!;
    }
    return 0;
  }

  /** Makes an item of so many words, without its entry; 0 when it is too large to be kept. */
  #append(key: KeyText, hash: number, size: number): number {
    if (size * 2 > this.#segmentWords || this.#segmentsMax === 0) return 0;
    const index = this.#roomFor(size);
    const segment = this.#segments[index]!;
    const at = segment.used;
    segment.used = at + size;
    const { words, bytes } = segment;
    const chain = hash & (this.#chains.length - 1);
    words[at + NEXT] = this.#chains[chain]!;
    words[at + HASH] = hash;
    words[at + SIZE] = size;
    words[at + KEY_BYTES] = key.length;
    words[at + STATE] = KEPT;
    putKeyText(bytes, (at + HEAD_WORDS) * 4, key);
    const place = index * this.#segmentWords + at + 1;
    this.#chains[chain] = place;
    this.#bytes += size * 4;
    return place;
  }

  /** The segment that has room for so many words, which are at most half of one. */
  #roomFor(size: number): number {
    const last = this.#segments[this.#current];
    if (last !== undefined && last.used + size <= this.#segmentWords) return this.#current;
    this.#current = last === undefined ? 0 : (this.#current + 1) % this.#segmentsMax;
    const next = this.#segments[this.#current];
    if (next === undefined) {
      const words = new Int32Array(this.#segmentWords);
      this.#segments.push({ words, bytes: new Uint8Array(words.buffer), used: 0 });
    } else {
      this.#tidy(next, this.#current * this.#segmentWords);
    }
    return this.#current;
  }

  /** Moves to the front of a segment what was asked for, up to half of it, and drops the rest. */
  #tidy(segment: Segment, base: number): void {
    const { words } = segment;
    let kept = 0;
    for (let at = 0; at < segment.used; ) {
      const size = words[at + SIZE]!;
      const state = words[at + STATE]!;
      if (state === ASKED_FOR && (kept + size) * 2 <= this.#segmentWords) {
        if (kept < at) {
          this.#relink(words[at + HASH]!, base + at + 1, base + kept + 1);
          words.copyWithin(kept, at, at + size);
        }
        words[kept + STATE] = KEPT;
        kept += size;
      } else if (state !== DEAD) {
        this.#drop(base + at + 1);
      }
      at += size;
    }
    segment.used = kept;
  }

  /** Takes an item out of its chain. */
  #drop(place: number): void {
    const { words } = this.#segmentOf(place);
    const at = this.#offsetIn(place);
    this.#relink(words[at + HASH]!, place, words[at + NEXT]!);
    words[at + STATE] = DEAD;
    this.#bytes -= words[at + SIZE]! * 4;
  }

  /** Lets whatever leads to one place lead to another. */
  #relink(hash: number, from: number, to: number): void {
    const chain = hash & (this.#chains.length - 1);
    let place = this.#chains[chain]!;
    if (place === from) {
      this.#chains[chain] = to;
      return;
    }
    for (;;) {
      invariant(place !== 0, "an item of the cache is in its chain");
      const { words } = this.#segmentOf(place);
      const at = this.#offsetIn(place) + NEXT;
      place = words[at]!;
      if (place === from) {
        words[at] = to;
        return;
      }
    }
  }
}

function hashOf(key: KeyText): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function isKey(bytes: Uint8Array, start: number, key: KeyText): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (bytes[start + index] !== key.charCodeAt(index)) return false;
  }
  return true;
}
