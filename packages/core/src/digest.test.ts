import { keyTexts, replicaId, replicaIds, timestamps } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "./bytes.ts";
import { Digest, DIGEST_BUCKETS, digestBucket } from "./digest.ts";
import type { KeyText, ReplicaId } from "./ids.ts";
import { InvariantError } from "./invariant.ts";

type Pair = [key: KeyText, timestamp: number, origin: ReplicaId];

const pairs = fc.tuple(keyTexts(40), timestamps(), replicaIds());
const pairLists = fc.array(pairs, { maxLength: 30 });

/** The stupid twin: MurmurHash3 x86_128 over big integers, as its author wrote it. Four 32-bit words. */
function murmur3(bytes: readonly number[], seed: number): bigint[] {
  const wrap = (value: bigint): bigint => BigInt.asUintN(32, value);
  const rotate = (value: bigint, by: bigint): bigint => wrap(value << by) | (value >> (32n - by));
  const factors = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n];
  const rotations = [15n, 16n, 17n, 18n];
  const spins = [19n, 17n, 15n, 13n];
  const offsets = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n];
  const h = [0, 1, 2, 3].map(() => BigInt(seed >>> 0));
  const at = (list: readonly bigint[], index: number): bigint => list[index % 4] ?? 0n;
  const mixIn = (block: readonly number[], lane: number): void => {
    let k = 0n;
    for (let byte = 3; byte >= 0; byte -= 1) k = (k << 8n) | BigInt(block[lane * 4 + byte] ?? 0);
    k = wrap(rotate(wrap(k * at(factors, lane)), at(rotations, lane)) * at(factors, lane + 1));
    h[lane] = at(h, lane) ^ k;
  };
  const addAll = (): void => {
    h[0] = wrap(h.reduce((sum, word) => sum + word, 0n));
    for (const lane of [1, 2, 3]) h[lane] = wrap(at(h, lane) + at(h, 0));
  };
  const end = bytes.length - (bytes.length % 16);
  for (let from = 0; from < end; from += 16) {
    for (const lane of [0, 1, 2, 3]) {
      mixIn(bytes.slice(from, from + 16), lane);
      h[lane] = wrap(wrap(rotate(at(h, lane), at(spins, lane)) + at(h, lane + 1)) * 5n + at(offsets, lane));
    }
  }
  for (const lane of [3, 2, 1, 0]) mixIn(bytes.slice(end), lane);
  for (const lane of [0, 1, 2, 3]) h[lane] = at(h, lane) ^ BigInt(bytes.length);
  addAll();
  for (const lane of [0, 1, 2, 3]) {
    let word = at(h, lane);
    word = wrap((word ^ (word >> 16n)) * 0x85ebca6bn);
    word = wrap((word ^ (word >> 13n)) * 0xc2b2ae35n);
    h[lane] = word ^ (word >> 16n);
  }
  addAll();
  return h;
}

const codes = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** The digest's sum by its definition: hashes as 128-bit numbers, least significant word first. */
function sumByRule(all: readonly Pair[]): string {
  let sum = 0n;
  for (const [key, timestamp, origin] of all) {
    const words = murmur3(
      [...codes(key), ...codes(timestamp.toString(16) + origin)],
      0x6d657368 ^ key.length,
    );
    sum += words.toReversed().reduce((number, word) => (number << 32n) | word, 0n);
  }
  return BigInt.asUintN(128, sum).toString(16).padStart(32, "0");
}

function digestOf(all: readonly Pair[]): Digest {
  const digest = new Digest();
  for (const pair of all) digest.add(...pair);
  return digest;
}

describe("the hash's twin", () => {
  it.each([
    ["", 0, "00000000000000000000000000000000"],
    ["", 1, "88c4adec54d201b954d201b954d201b9"],
    ["hello", 0, "2b2444a0db91def79adb31b69adb31b6"],
    ["hello, world", 0, "8b21605cb9b98a1e93273a83eb5957c7"],
    ["0123456789abcde", 7, "f38f965405a170708d3fa819d8048fc2"],
    ["0123456789abcdef", 7, "c4e087f78476c26b64692c887dccfc6e"],
    ["The quick brown fox jumps over the lazy dog", 0, "2f1583c3ecee2c675d7bf66ce5e91d2c"],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, "8ad4d55e4cb861718ea73a9ccdb6793e"],
  ])("gives the known hash of %j with seed %d", (text, seed, expected) => {
    const words = murmur3(codes(text), seed).map((word) => word.toString(16).padStart(8, "0"));
    expect(words.join("")).toBe(expected);
  });
});

describe("the digest", () => {
  it("is the sum of the hashes of its pairs", () => {
    fc.assert(
      fc.property(pairLists, (all) => {
        expect(digestOf(all).summary()).toBe(sumByRule(all));
      }),
    );
  });

  it("keeps a key's pairs in the bucket of its hash", () => {
    fc.assert(
      fc.property(pairs, ([key, timestamp, origin]) => {
        const bucket = Number((murmur3(codes(key), 0)[0] ?? 0n) % BigInt(DIGEST_BUCKETS));
        expect(digestBucket(key)).toBe(bucket);
        expect(digestOf([[key, timestamp, origin]]).differingBuckets(new Digest())).toEqual([bucket]);
      }),
    );
  });

  it("does not depend on the order, nor on what came and went", () => {
    fc.assert(
      fc.property(pairLists, pairLists, (all, gone) => {
        const digest = digestOf([...gone, ...all.toReversed()]);
        for (const pair of gone) digest.remove(...pair);
        expect(digest.encode()).toEqual(digestOf(all).encode());
      }),
    );
  });

  it("may lose a pair before it gets it", () => {
    fc.assert(
      fc.property(pairLists, (all) => {
        const digest = new Digest();
        for (const pair of all) digest.remove(...pair);
        for (const pair of all) digest.add(...pair);
        expect(digest.encode()).toEqual(new Digest().encode());
      }),
    );
  });

  it("shows a pair that is counted twice, or four times", () => {
    fc.assert(
      fc.property(pairLists, pairs, (all, pair) => {
        const sums = [0, 1, 2, 4].map((times) =>
          digestOf([...all, ...Array.from({ length: times }, () => pair)]).summary(),
        );
        expect(new Set(sums).size).toBe(4);
      }),
    );
  });

  it("tells pairs apart by every part, wherever key and version meet", () => {
    const origin = replicaId(1);
    const sums = [
      digestOf([["k" as KeyText, 1, origin]]),
      digestOf([["k1" as KeyText, 1, origin]]),
      digestOf([["k" as KeyText, 0x11, origin]]),
      digestOf([["k" as KeyText, 1, replicaId(2)]]),
      digestOf([["" as KeyText, 1, origin]]),
    ];
    expect(new Set(sums.map((digest) => digest.summary())).size).toBe(sums.length);
  });

  it("differs from another in the buckets of the pairs that differ", () => {
    fc.assert(
      fc.property(
        pairLists,
        fc.uniqueArray(pairs, { selector: ([key]) => key, maxLength: 5 }),
        (all, more) => {
          const buckets = [...new Set(more.map(([key]) => digestBucket(key)))].sort((a, b) => a - b);
          expect(digestOf(all).differingBuckets(digestOf([...all, ...more]))).toEqual(buckets);
        },
      ),
    );
  });

  it("round-trips and clones without sharing", () => {
    fc.assert(
      fc.property(pairLists, pairs, (all, pair) => {
        const digest = digestOf(all);
        const bytes = digest.encode();
        const copies = [Digest.decode(bytes), digest.clone()];
        digest.add(...pair);
        for (const copy of copies) expect(copy.encode()).toEqual(bytes);
        expect(bytes.length).toBe(1024);
      }),
    );
  });

  it("refuses another size", () => {
    for (const size of [0, 1023, 1025])
      expect(() => Digest.decode(new Uint8Array(size))).toThrow(FormatError);
    expect(() => new Digest(new Uint32Array(4))).toThrow(InvariantError);
  });
});
