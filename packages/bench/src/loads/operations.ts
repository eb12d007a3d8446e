import { randomFrom, zipf } from "../statistics.ts";
import type { OperationKind } from "./pipeline.ts";

/** Bytes of every value. */
export const VALUE_BYTES = 100;

const VALUE = new Uint8Array(VALUE_BYTES).fill(0x76);
const encoder = new TextEncoder();

/** The key of a number: 16 bytes. */
export function keyOf(number: number): Uint8Array {
  return encoder.encode(`bench/${String(number).padStart(10, "0")}`);
}

/** Sets of random keys below a number. */
export function randomSets(keys: number, seed: number): () => NonNullable<OperationKind> {
  const random = randomFrom(seed);
  return () => setOf(Math.floor(random() * keys));
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
  return () => (random() < 0.9 ? getOf(next()) : setOf(next()));
}

/** Sets of every key below a number, one after the other, from the first again at the end. */
export function orderedSets(from: number): () => NonNullable<OperationKind> {
  let number = from;
  return () => {
    const operation = setOf(number);
    number += 1;
    return operation;
  };
}

function setOf(number: number): NonNullable<OperationKind> {
  return { case: "set", value: { key: keyOf(number), value: VALUE } };
}

function getOf(number: number): NonNullable<OperationKind> {
  return { case: "get", value: { key: keyOf(number) } };
}
