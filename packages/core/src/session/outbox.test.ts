import { describe, expect, it } from "vitest";
import { Outbox } from "./outbox.ts";

const REQUEST = { kind: "conflicted", after: undefined, countMax: 1 } as const;
const FOUND = { kind: "conflicted", keys: [], done: true } as const;

describe("Outbox", () => {
  it("hands out actions once, in the order in which they were asked for", () => {
    const outbox = new Outbox();
    outbox.event("first");
    outbox.send(7, { kind: "confirm" });
    outbox.push({ kind: "close", link: 7, code: undefined, message: "" });
    expect(outbox.take().map(({ kind }) => kind)).toEqual(["event", "send", "close"]);
    expect(outbox.take()).toEqual([]);
  });

  it("brings each answer to the scan that asked, in whatever order they come", () => {
    const outbox = new Outbox();
    const answered: string[] = [];
    outbox.scan(REQUEST, (result, nowMs) => answered.push(`first ${result.kind} at ${nowMs}`));
    outbox.scan(REQUEST, (result, nowMs) => answered.push(`second ${result.kind} at ${nowMs}`));
    const scans = outbox.take().flatMap((action) => (action.kind === "scan" ? action.id : []));
    outbox.scanned(scans[1] ?? 0, { kind: "failed", message: "" }, 5);
    outbox.scanned(scans[0] ?? 0, FOUND, 6);
    expect(answered).toEqual(["second failed at 5", "first conflicted at 6"]);
  });

  it("drops a second answer, and answers to scans that nobody asked for", () => {
    const outbox = new Outbox();
    let answers = 0;
    outbox.scan(REQUEST, () => (answers += 1));
    outbox.scanned(1, FOUND, 0);
    outbox.scanned(1, FOUND, 0);
    outbox.scanned(99, FOUND, 0);
    expect(answers).toBe(1);
  });

  it("runs what waits for a group when that or a later one is durable, in order and once", () => {
    const outbox = new Outbox();
    const ran: string[] = [];
    outbox.afterDurable(1, () => ran.push("one"));
    outbox.afterDurable(2, () => ran.push("two"));
    outbox.afterDurable(4, () => ran.push("four"));
    outbox.durable(0);
    expect(ran).toEqual([]);
    outbox.durable(3);
    expect(ran).toEqual(["one", "two"]);
    outbox.durable(4);
    outbox.durable(5);
    expect(ran).toEqual(["one", "two", "four"]);
  });

  it("takes new waiters while it runs others", () => {
    const outbox = new Outbox();
    const ran: string[] = [];
    outbox.afterDurable(1, () => {
      ran.push("one");
      outbox.afterDurable(2, () => ran.push("two"));
    });
    outbox.durable(1);
    expect(ran).toEqual(["one"]);
    outbox.durable(2);
    expect(ran).toEqual(["one", "two"]);
  });
});
