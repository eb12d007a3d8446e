import { histories, LoneReplica, replicaId } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conflictsOf } from "../entry.ts";
import { positionAt } from "../position.ts";
import type { WriteRecord } from "../record.ts";

const NOW_MS = 1_767_225_600_000;

/** A piece of some origin's log: which origin is drawn, how much of it, and how far it goes back over what was sent. */
const pieces = fc.array(
  fc.record({
    origin: fc.nat({ max: 9 }),
    length: fc.integer({ min: 1, max: 4 }),
    again: fc.nat({ max: 3 }),
  }),
  { maxLength: 60 },
);

function logsOf(records: readonly WriteRecord[]): WriteRecord[][] {
  const logs = new Map<string, WriteRecord[]>();
  for (const record of records) logs.set(record.origin, [...(logs.get(record.origin) ?? []), record]);
  return [...logs.values()].map((log) => log.toSorted((a, b) => a.timestamp - b.timestamp));
}

/** What a replica holds that was sent the logs in pieces, some of them again, in turn with one another. */
function stateAfter(
  logs: readonly (readonly WriteRecord[])[],
  order: readonly { readonly origin: number; readonly length: number; readonly again: number }[],
): unknown {
  const reader = new LoneReplica(replicaId(99), NOW_MS);
  const sent = logs.map(() => 0);
  const send = (index: number, from: number, to: number): void => {
    const piece = logs[index]?.slice(from, to) ?? [];
    const [last] = piece.slice(-1);
    if (last === undefined) return;
    reader.replica.accept(last.origin, piece, positionAt(last.timestamp), NOW_MS);
    sent[index] = Math.max(sent[index] ?? 0, to);
  };
  for (const { origin, length, again } of order) {
    const index = origin % Math.max(1, logs.length);
    const from = Math.max(0, (sent[index] ?? 0) - again);
    send(index, from, Math.min((sent[index] ?? 0) + length, logs[index]?.length ?? 0));
    if (length === 2) reader.commit();
  }
  for (const [index, log] of logs.entries()) send(index, sent[index] ?? 0, log.length);
  reader.commit();
  return {
    // A raised record that a newer write had seen is adopted once more on the way: the writes count, not their forms.
    entries: [...reader.tables.entries.values()].map((entry) =>
      [entry.winner, ...conflictsOf(entry)].map(nameOf),
    ),
    logs: logs.map(
      ([first]) => first && reader.tables.logs.get(first.origin)?.map(({ timestamp }) => timestamp),
    ),
  };
}

/** The write, in whatever form it travels. */
function nameOf(record: WriteRecord): string {
  const { timestamp, origin } = record.adopted ?? record;
  return `${timestamp}@${origin}`;
}

describe("accepting logs", () => {
  it("gives the same state however they are cut, repeated and interleaved", () => {
    fc.assert(
      fc.property(histories({ deadlines: true }), pieces, ({ records }, order) => {
        const logs = logsOf(records);
        expect(stateAfter(logs, order)).toEqual(stateAfter(logs, []));
      }),
      { numRuns: 200 },
    );
  });
});
