import { type KeyText, REQUEST_ID_MS, type ReplicaId } from "@meshkv/core";
import { describe, expect, it } from "vitest";
import type { CommitTicket } from "../handlers/local-replica.ts";
import { RequestLedger } from "./request-ledger.ts";
import { decodeOutcome, encodeOutcome, requestKey } from "./request-row.ts";

const ORIGIN = "00000000000000aa" as ReplicaId;

function ticket(timestamp: number): CommitTicket {
  return {
    versions: [{ timestamp, origin: ORIGIN }],
    existed: [true],
    durable: Promise.resolve(),
    isNamed: true,
  };
}

describe("a ledger of requests", () => {
  it("knows an id with its content, and refuses it for another", () => {
    const ledger = new RequestLedger();
    const first = ticket(1);
    ledger.add({ id: "a", content: 7 }, first, 1000);
    expect(ledger.find({ id: "a", content: 7 }, 2000)).toBe(first);
    expect(ledger.find({ id: "b", content: 7 }, 2000)).toBeUndefined();
    expect(() => ledger.find({ id: "a", content: 8 }, 2000)).toThrow(/another write/);
  });

  it("knows an id for ten minutes", () => {
    const ledger = new RequestLedger();
    ledger.add({ id: "a", content: 7 }, ticket(1), 1000);
    expect(ledger.find({ id: "a", content: 7 }, 1000 + REQUEST_ID_MS)).toBeDefined();
    expect(ledger.find({ id: "a", content: 8 }, 1001 + REQUEST_ID_MS)).toBeUndefined();
  });

  it("forgets the oldest when there are too many, old ones by and by, and says which", () => {
    const few = new RequestLedger(2);
    expect(few.add({ id: "a", content: 1 }, ticket(1), 1)).toEqual([]);
    expect(few.add({ id: "b", content: 1 }, ticket(2), 2)).toEqual([]);
    expect(few.add({ id: "c", content: 1 }, ticket(3), 3)).toEqual(["a"]);
    const old = new RequestLedger();
    for (const id of ["a", "b", "c"]) old.add({ id, content: 1 }, ticket(1), 1);
    expect(old.add({ id: "d", content: 1 }, ticket(1), 2 + REQUEST_ID_MS)).toEqual(["a", "b"]);
    expect(old.add({ id: "e", content: 1 }, ticket(1), 2 + REQUEST_ID_MS)).toEqual(["c"]);
    expect(old.size).toBe(2);
  });

  it("forgets a commit that failed, but not the retry that took its place", () => {
    const ledger = new RequestLedger();
    const first = ticket(1);
    const second = ticket(2);
    ledger.add({ id: "a", content: 7 }, first, 1000);
    ledger.add({ id: "a", content: 7 }, second, 2000);
    ledger.forget("a", first);
    expect(ledger.find({ id: "a", content: 7 }, 2000)).toBe(second);
    ledger.forget("a", second);
    expect(ledger.find({ id: "a", content: 7 }, 2000)).toBeUndefined();
  });

  it("takes up what the store has kept, oldest first", async () => {
    const kept = (atMs: number): Uint8Array =>
      encodeOutcome({ atMs, content: 7, versions: ticket(5).versions, existed: [true] });
    const ledger = new RequestLedger(2);
    ledger.restore(
      new Map<KeyText, Uint8Array>([
        [requestKey("new ü"), kept(2000)],
        [requestKey("old"), kept(1000)],
      ]),
    );
    const found = ledger.find({ id: "new ü", content: 7 }, 3000);
    expect(found).toMatchObject({ versions: ticket(5).versions, existed: [true] });
    await found?.durable;
    expect(ledger.add({ id: "newest", content: 1 }, ticket(1), 3000)).toEqual(["old"]);
  });
});

describe("the row of an outcome", () => {
  it("comes back as it was, for batches too", () => {
    const versions = [1, 2, 3].map((timestamp) => ({ timestamp, origin: ORIGIN }));
    const outcome = { atMs: 1000, content: 0xffff_ffff, versions, existed: [true, false, true] };
    expect(decodeOutcome(encodeOutcome(outcome))).toEqual(outcome);
  });
});
