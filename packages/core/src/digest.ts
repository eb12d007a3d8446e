/**
 * Order-independent digest of a set of (key, version) pairs: per bucket of the key space, the sum modulo 2^128 of a
 * keyed 128-bit hash. A sum and not XOR, so that a pair that is counted twice shows. The hash is MurmurHash3 x86_128
 * (Austin Appleby, public domain): it answers "did two honest replicas diverge", not "did somebody forge a set".
 */
import { type ByteWriter, FormatError } from "./bytes.ts";
import { type KeyText, putKeyText, type ReplicaId } from "./ids.ts";
import { invariant } from "./invariant.ts";
import type { Timestamp } from "./timestamp.ts";

/** Buckets of the key space; a key's bucket is the low bits of its hash. */
export const DIGEST_BUCKETS = 64;
const LANES = 4;
/** The hash of the pair that is counted in or out. */
const SCRATCH = new Uint32Array(LANES);
const LANES_ALL = DIGEST_BUCKETS * LANES;
/** The canonical form that was made last. */
const ENCODED = new Uint8Array(LANES_ALL * 4);
const ENCODED_VIEW = new DataView(ENCODED.buffer);

/** Sums per bucket: four 32-bit lanes each, least significant first. */
export class Digest {
  #lanes: Uint32Array;
  /** The lanes belong to a copy as well: who changes them first takes lanes of its own. */
  #isShared = false;

  constructor(lanes: Uint32Array = new Uint32Array(DIGEST_BUCKETS * LANES)) {
    invariant(lanes.length === DIGEST_BUCKETS * LANES, "digest size");
    this.#lanes = lanes;
  }

  /** Counts a pair in. */
  add(key: KeyText, timestamp: Timestamp, origin: ReplicaId): void {
    const bucket = hashPair(key, timestamp, origin, SCRATCH) * LANES;
    const lanes = this.#own();
    let carry = 0;
    for (let lane = 0; lane < LANES; lane += 1) {
      const sum = lanes[bucket + lane]! + SCRATCH[lane]! + carry;
      lanes[bucket + lane] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
  }

  /** Counts a pair out that was counted in before. */
  remove(key: KeyText, timestamp: Timestamp, origin: ReplicaId): void {
    const bucket = hashPair(key, timestamp, origin, SCRATCH) * LANES;
    const lanes = this.#own();
    let borrow = 0;
    for (let lane = 0; lane < LANES; lane += 1) {
      const difference = lanes[bucket + lane]! - SCRATCH[lane]! - borrow;
      lanes[bucket + lane] = difference;
      borrow = difference < 0 ? 1 : 0;
    }
  }

  /** A copy with a life of its own. */
  clone(): Digest {
    const copy = new Digest(this.#lanes);
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  #own(): Uint32Array {
    if (this.#isShared) this.#lanes = this.#lanes.slice();
    this.#isShared = false;
    return this.#lanes;
  }

  /** Canonical form: every lane as a big-endian 32-bit integer, 1,024 bytes in all. */
  encode(): Uint8Array {
    return this.#encoded().slice();
  }

  /** Writes the canonical form. */
  write(writer: ByteWriter): void {
    writer.raw(this.#encoded());
  }

  #encoded(): Uint8Array {
    for (let index = 0; index < LANES_ALL; index += 1) ENCODED_VIEW.setUint32(index * 4, this.#lanes[index]!);
    return ENCODED;
  }

  /** Reads the canonical form; throws FormatError when it has not its size. */
  static decode(bytes: Uint8Array): Digest {
    if (bytes.length !== DIGEST_BUCKETS * LANES * 4) throw new FormatError("digest size");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const lanes = new Uint32Array(DIGEST_BUCKETS * LANES);
    for (let index = 0; index < lanes.length; index += 1) lanes[index] = view.getUint32(index * 4);
    return new Digest(lanes);
  }

  /** The sum over all buckets as 32 hex digits: equal for equal sets. */
  summary(): string {
    const total = [0, 0, 0, 0];
    for (let bucket = 0; bucket < DIGEST_BUCKETS; bucket += 1) {
      let carry = 0;
      for (let lane = 0; lane < LANES; lane += 1) {
        const sum = total[lane]! + this.#lanes[bucket * LANES + lane]! + carry;
        total[lane] = sum % 0x1_0000_0000;
        carry = sum > 0xffff_ffff ? 1 : 0;
      }
    }
    return total
      .reverse()
      .map((lane) => lane.toString(16).padStart(8, "0"))
      .join("");
  }

  /** Numbers of the buckets in which two digests differ. */
  differingBuckets(other: Digest): number[] {
    const buckets: number[] = [];
    for (let bucket = 0; bucket < DIGEST_BUCKETS; bucket += 1) {
      for (let lane = bucket * LANES; lane < (bucket + 1) * LANES; lane += 1) {
        if (this.#lanes[lane] !== other.#lanes[lane]) {
          buckets.push(bucket);
          break;
        }
      }
    }
    return buckets;
  }
}

/** Writes a hash of a record's key, version and content, the checksum standing for the content, to `out`. */
export function hashRecord(
  record: {
    readonly key: KeyText;
    readonly timestamp: Timestamp;
    readonly origin: ReplicaId;
    readonly checksum: number;
  },
  out: Uint32Array,
): void {
  const { key, timestamp, origin, checksum } = record;
  putKey(key);
  const length = putVersion(key.length, timestamp, origin);
  putHex(length, checksum, 8);
  murmur3(length + 8, PAIR_SEED ^ key.length, out);
}

/** The bucket of a key. */
export function digestBucket(key: KeyText): number {
  putKey(key);
  if (key !== lastKey) {
    lastBucket = murmur3(key.length, 0, BUCKET_SCRATCH) % DIGEST_BUCKETS;
    lastKey = key;
  }
  return lastBucket;
}

/** A write takes one version of a key out and counts another one in. */
let lastKey = "" as KeyText;
let lastBucket = 0;

const BUCKET_SCRATCH = new Uint32Array(LANES);
const PAIR_SEED = 0x6d657368;
/** A timestamp of 53 bits, an origin and a checksum, in hex digits, and room to read whole blocks. */
const REST_BYTES_MAX = 14 + 16 + 8 + 16;

/** What is being hashed: it grows with the longest key. */
let text = new Uint8Array(1024 + REST_BYTES_MAX);

/** Writes the hash of the pair to `out` and returns the key's bucket. */
function hashPair(key: KeyText, timestamp: Timestamp, origin: ReplicaId, out: Uint32Array): number {
  const bucket = digestBucket(key);
  // The key still stands there.
  murmur3(putVersion(key.length, timestamp, origin), PAIR_SEED ^ key.length, out);
  return bucket;
}

function putKey(key: KeyText): void {
  if (key.length + REST_BYTES_MAX > text.length) text = new Uint8Array(key.length * 2 + REST_BYTES_MAX);
  putKeyText(text, 0, key);
}

/** Puts a timestamp without leading zeros and an origin after the key; returns how long all of it is. */
function putVersion(keyBytes: number, timestamp: Timestamp, origin: ReplicaId): number {
  const high = Math.floor(timestamp / 0x1_0000_0000);
  const highDigits = high === 0 ? 0 : hexDigits(high);
  const lowDigits = high === 0 ? hexDigits(timestamp) : 8;
  let at = keyBytes;
  putHex(at, high, highDigits);
  at += highDigits;
  putHex(at, timestamp >>> 0, lowDigits);
  at += lowDigits;
  for (let index = 0; index < origin.length; index += 1) text[at + index] = origin.charCodeAt(index);
  return at + origin.length;
}

/** Hex digits of an integer below 2^32, at least one. */
function hexDigits(value: number): number {
  return value === 0 ? 1 : (35 - Math.clz32(value)) >>> 2;
}

function putHex(at: number, value: number, digits: number): void {
  let rest = value;
  for (let index = digits - 1; index >= 0; index -= 1) {
    const digit = rest & 15;
    text[at + index] = digit < 10 ? 48 + digit : 87 + digit;
    rest >>>= 4;
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function finalMix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function word(from: number): number {
  return text[from]! | (text[from + 1]! << 8) | (text[from + 2]! << 16) | (text[from + 3]! << 24);
}

/** MurmurHash3 x86_128 over the first bytes of `text`; returns the first word, unsigned. Zeroes what follows them. */
function murmur3(length: number, seed: number, out: Uint32Array): number {
  const c1 = 0x239b961b;
  const c2 = 0xab0e9789;
  const c3 = 0x38b34ae5;
  const c4 = 0xa1e38b93;
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;
  const tail = length - (length & 15);
  text.fill(0, length, tail + 16);
  for (let from = 0; from < tail; from += 16) {
    h1 ^= Math.imul(rotate(Math.imul(word(from), c1), 15), c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(word(from + 4), c2), 16), c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(word(from + 8), c3), 17), c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(word(from + 12), c4), 18), c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  h4 ^= Math.imul(rotate(Math.imul(word(tail + 12), c4), 18), c1);
  h3 ^= Math.imul(rotate(Math.imul(word(tail + 8), c3), 17), c4);
  h2 ^= Math.imul(rotate(Math.imul(word(tail + 4), c2), 16), c3);
  h1 ^= Math.imul(rotate(Math.imul(word(tail), c1), 15), c2);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h3 = finalMix(h3);
  h4 = finalMix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  out[0] = h1;
  out[1] = h2;
  out[2] = h3;
  out[3] = h4;
  return h1 >>> 0;
}
