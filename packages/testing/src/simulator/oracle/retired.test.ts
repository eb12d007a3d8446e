import { type Adoption, type KeyText, makeRecord, settlingChecksum, type WriteRecord } from "@meshkv/core";
import { describe, expect, it } from "vitest";
import { replicaId, startId } from "../../arbitraries/identifiers.ts";
import { NumberSet } from "./number-set.ts";
import { Registry } from "./registry.ts";
import { markRetired } from "./retired.ts";

const [HERE, THERE, ADOPTER] = [replicaId(1), replicaId(2), replicaId(3)];

function record(timestamp: number, origin: string, adopted?: Adoption, isDelete = false): WriteRecord {
  const value = new TextEncoder().encode(isDelete ? "" : (adopted?.origin ?? origin));
  const key = "key" as KeyText;
  const plain = { key, isDelete, value, expiresAtMs: 0, context: [], moreFollows: false };
  return makeRecord({ ...plain, timestamp, origin: origin as WriteRecord["origin"], adopted });
}

const LOSER = record(10, HERE);
const WINNER = record(20, THERE);
const ADOPTION = { timestamp: 10, origin: HERE, checksum: LOSER.checksum, rank: 10, raised: false };

/** Two writes of which neither author had seen the other, on a replica whose entry changes. */
function afterDropping(ended: number, left: readonly WriteRecord[] = []): Registry {
  const registry = new Registry();
  for (const write of [LOSER, WINNER]) registry.issue(write, startId(1), new NumberSet());
  const before = { winner: WINNER, siblings: [LOSER] };
  markRetired(before, { winner: WINNER, siblings: left }, ended, (one) => registry.find(one));
  return registry;
}

/** Somebody states that the loser is settled. */
function claim(registry: Registry): void {
  const adopted = { ...ADOPTION, checksum: settlingChecksum(LOSER.checksum) };
  registry.issue(record(30, ADOPTER, adopted, true), startId(2), new NumberSet());
}

describe("that a write is settled, which nobody had seen", () => {
  it("may be said once a replica has ended its retention", () => {
    expect(() => claim(afterDropping(10))).not.toThrow();
  });

  it("may not be said where it went before its time", () => {
    expect(() => claim(afterDropping(9))).toThrow("nobody had seen it");
  });

  it("may not be said where it is kept, also as an adoption", () => {
    expect(() => claim(afterDropping(10, [LOSER]))).toThrow("nobody had seen it");
    expect(() => claim(afterDropping(10, [record(15, ADOPTER, ADOPTION)]))).toThrow("nobody had seen it");
  });
});
