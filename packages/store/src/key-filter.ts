/**
 * A set of keys that never forgets one, and takes about one in two hundred others for one of them: a Bloom filter. All
 * bits of a key lie in one block of 64 bytes, which is one line of a processor's cache. It grows by layers, each as large
 * as all before it together.
 */
import type { KeyText } from "@meshkv/core";

const BLOCK_WORDS = 16;
const BITS_PER_KEY = 16;
/** Bits that a key sets: three by each of two hashes. */
const ROUNDS = 2;
const FIRST_WORDS = 16 * 1024;

interface Layer {
  readonly words: Int32Array;
  /** Keys for which there is room. */
  room: number;
}

export class KeyFilter {
  readonly #bytesMax: number;
  readonly #layers: Layer[] = [];
  #bytes = 0;

  /** @param bytesMax bytes that the bits may take */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that the bits take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a key in. False when there is no room: the key is not in it then. */
  add(key: KeyText): boolean {
    const hash = hashOf(key);
    for (const layer of this.#layers) if (hasBits(layer.words, hash)) return true;
    let last = this.#layers.at(-1);
    if (last === undefined || last.room === 0) last = this.#grow();
    if (last === undefined) return false;
    last.room -= 1;
    setBits(last.words, hash);
    return true;
  }

  /** False for a key that was surely never taken in. */
  mayHave(key: KeyText): boolean {
    const hash = hashOf(key);
    for (const layer of this.#layers) if (hasBits(layer.words, hash)) return true;
    return false;
  }

  #grow(): Layer | undefined {
    const bytes = Math.max(FIRST_WORDS * 4, this.#bytes);
    if (this.#bytes + bytes > this.#bytesMax) return undefined;
    this.#bytes += bytes;
    const layer = { words: new Int32Array(bytes / 4), room: Math.floor((bytes * 8) / BITS_PER_KEY) };
    this.#layers.push(layer);
    return layer;
  }
}

function hasBits(words: Int32Array, hash: number): boolean {
  const block = blockOf(words, hash);
  let bits = hash;
  for (let round = 0; round < ROUNDS; round += 1) {
    bits = mix(bits + round);
    if ((words[block + ((bits >>> 5) & 15)]! & (1 << (bits & 31))) === 0) return false;
    if ((words[block + ((bits >>> 14) & 15)]! & (1 << ((bits >>> 9) & 31))) === 0) return false;
    if ((words[block + ((bits >>> 23) & 15)]! & (1 << ((bits >>> 18) & 31))) === 0) return false;
  }
  return true;
}

function setBits(words: Int32Array, hash: number): void {
  const block = blockOf(words, hash);
  let bits = hash;
  for (let round = 0; round < ROUNDS; round += 1) {
    bits = mix(bits + round);
    words[block + ((bits >>> 5) & 15)]! |= 1 << (bits & 31);
    words[block + ((bits >>> 14) & 15)]! |= 1 << ((bits >>> 9) & 31);
    words[block + ((bits >>> 23) & 15)]! |= 1 << ((bits >>> 18) & 31);
  }
}

/** Where a hash's block begins; layers are powers of two. */
function blockOf(words: Int32Array, hash: number): number {
  return (hash & (words.length / BLOCK_WORDS - 1)) * BLOCK_WORDS;
}

function hashOf(key: KeyText): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
