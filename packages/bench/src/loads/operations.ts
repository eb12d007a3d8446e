import { randomFrom, zipf } from "../statistics.ts";
import type { OperationKind } from "./pipeline.ts";

/** Bytes of a value unless said otherwise. */
export const VALUE_BYTES = 100;

/** Bytes without a pattern, from which values are cut. */
const POOL = bytesFrom(randomFrom(1), 1024 * 1024);
const POOL_STEP = 7919;
const encoder = new TextEncoder();

/** The key of a number: 16 bytes. */
export function keyOf(number: number): Uint8Array {
  return encoder.encode(`bench/${String(number).padStart(10, "0")}`);
}

/** Sets of random keys below a number. */
export function randomSets(
  keys: number,
  seed: number,
  valueBytes = VALUE_BYTES,
): () => NonNullable<OperationKind> {
  const random = randomFrom(seed);
  return () => setOf(Math.floor(random() * keys), valueBytes);
}

/** Gets of random keys below a number. */
export function randomGets(keys: number, seed: number): () => NonNullable<OperationKind> {
  const random = randomFrom(seed);
  return () => getOf(Math.floor(random() * keys));
}

/** Nine gets to a set, of keys by Zipf's law. */
export function mixed(keys: number, seed: number): () => NonNullable<OperationKind> {
  const random = randomFrom(seed);
  const next = zipf(keys, random);
  return () => (random() < 0.9 ? getOf(next()) : setOf(next(), VALUE_BYTES));
}

/** Sets of every key below a number, one after the other, from the first again at the end. */
export function orderedSets(from: number, valueBytes = VALUE_BYTES): () => NonNullable<OperationKind> {
  let number = from;
  return () => {
    const operation = setOf(number, valueBytes);
    number += 1;
    return operation;
  };
}

function bytesFrom(random: () => number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(random() * 256));
}

/** A piece of the pool that depends on the key: neighbours in a table have nothing in common that could be compressed. */
function valueOf(number: number, bytes: number): Uint8Array {
  const start = (number * POOL_STEP) % (POOL.length - bytes);
  return POOL.subarray(start, start + bytes);
}

function setOf(number: number, valueBytes: number): NonNullable<OperationKind> {
  return { case: "set", value: { key: keyOf(number), value: valueOf(number, valueBytes) } };
}

function getOf(number: number): NonNullable<OperationKind> {
  return { case: "get", value: { key: keyOf(number) } };
}
