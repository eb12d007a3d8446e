import {
  type Adoption,
  EPOCH_MS,
  type KeyText,
  makeRecord,
  type ReplicaId,
  TICKS_PER_MS,
  VersionVector,
  type WriteRecord,
} from "@meshkv/core";
import { describe, expect, it } from "vitest";
import { replicaId, startId } from "../../arbitraries/identifiers.ts";
import type { Machine } from "../machine.ts";
import { Holdings, isSuperseded } from "./holdings.ts";
import { checkKey } from "./key-check.ts";
import { NumberSet } from "./number-set.ts";
import { type Issued, Registry } from "./registry.ts";

const KEY = "key" as KeyText;
const [HERE, THERE, ADOPTER] = [replicaId(1), replicaId(2), replicaId(3)];

interface Plan {
  readonly atMs: number;
  readonly origin?: ReplicaId;
  readonly untilMs?: number;
  readonly adopts?: WriteRecord;
}

/** A record made so many milliseconds after the epoch; without a value of its own, or another's, a delete. */
function record({ atMs, origin = HERE, untilMs, adopts }: Plan, value?: string): WriteRecord {
  const timestamp = atMs * TICKS_PER_MS;
  const adopted: Adoption | undefined = adopts && {
    timestamp: adopts.timestamp,
    origin: adopts.origin,
    checksum: adopts.checksum,
    rank: Math.min(timestamp, adopts.timestamp),
    raised: false,
  };
  return makeRecord({
    timestamp,
    origin,
    key: KEY,
    isDelete: value === undefined && adopts === undefined,
    value: new TextEncoder().encode(value ?? ""),
    expiresAtMs: untilMs === undefined ? 0 : EPOCH_MS + untilMs,
    context: [],
    moreFollows: false,
    adopted,
  });
}

function seenBy(...authors: readonly Issued[]): NumberSet {
  const seen = new NumberSet();
  for (const { number } of authors) seen.add(number);
  return seen;
}

describe("what a replica holds", () => {
  it("ends a deadline by the latest adoption of a write whose clock ran ahead", () => {
    const registry = new Registry();
    const held = new Holdings();
    const issue = (made: WriteRecord): Issued => {
      const issued = registry.issue(made, startId(1), new NumberSet());
      held.accept(issued);
      return issued;
    };
    const expiring = issue(record({ atMs: 10, untilMs: 75 }, "expiring"));
    const ahead = registry.issue(record({ atMs: 9000, origin: THERE }, ""), startId(2), new NumberSet());
    issue(record({ atMs: 50, origin: ADOPTER, adopts: ahead.record }));
    const known = held.keys.get(KEY);
    if (known === undefined) throw new Error("the key is held");
    expect(isSuperseded(expiring, known)).toBe(false);
    issue(record({ atMs: 100, origin: ADOPTER, adopts: ahead.record }));
    expect(isSuperseded(expiring, known)).toBe(true);
  });

  it("lists an expired loser where all that came after its deadline was forgotten, or covered by what was", () => {
    const registry = new Registry();
    const held = new Holdings();
    const issue = (made: WriteRecord, ...seen: readonly Issued[]): Issued => {
      const issued = registry.issue(made, startId(1), seenBy(...seen));
      held.accept(issued);
      return issued;
    };
    const expiring = issue(record({ atMs: 10, untilMs: 75 }, "expiring"));
    const put = issue(record({ atMs: 80, origin: THERE }, "covered"));
    issue(record({ atMs: 90, origin: THERE }), put);
    const ahead = registry.issue(record({ atMs: 60, origin: ADOPTER }, ""), startId(3), new NumberSet());
    const winner = issue(
      makeRecord({
        ...record({ atMs: 200, origin: ADOPTER, adopts: ahead.record }),
        adopted: { ...ahead.record, rank: 200 * TICKS_PER_MS, raised: true },
      }),
    );
    const entry = { winner: winner.record, siblings: [expiring.record] };
    const check = (horizonMs: number): void => {
      held.progress = { horizon: horizonMs * TICKS_PER_MS, vector: new VersionVector(), floors: new Map() };
      checkKey({ address: "here" } as Machine, held, KEY, entry, 1000, false);
    };
    expect(() => check(100)).not.toThrow();
    expect(() => check(85)).toThrow("is no conflict");
  });
});
