/** A rejoining replica changes its identity and loses nothing (rule M2). */
import { timestampFromMs } from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { describeRecord } from "../shell.ts";
import { Violation } from "../violation.ts";
import { type Holdings, isSuperseded } from "./holdings.ts";
import type { Registry } from "./registry.ts";

/** Compares what a replica had not forgotten with what its successor has. */
export function checkSuccession(
  machine: Machine,
  generation: number,
  before: Holdings,
  after: Holdings,
  retentionMs: number,
  registry: Registry,
): void {
  const since = timestampFromMs(machine.wallMs() - retentionMs);
  for (const [key, { winner, siblings }] of machine.disk.tables(generation).entries) {
    const [old, known] = [before.keys.get(key), after.keys.get(key)];
    for (const record of [winner, ...siblings]) {
      const issued = old?.records.find((other) => other.record.checksum === record.checksum);
      if (issued === undefined) continue;
      // Other replicas may have ended the retention of a conflict that is swept here a moment later.
      if (record !== winner && record.timestamp <= since) continue;
      if (known !== undefined && (known.writes.has(issued.number) || isSuperseded(issued, known))) continue;
      // Every member had it: one that left for the other mesh before may have brought what it did, and not itself.
      const showsNothing =
        record.isDelete || (record.expiresAtMs > 0 && record.expiresAtMs <= machine.wallMs());
      if (showsNothing && (issued.isForgotten || issued.original.isForgotten)) continue;
      // Another copy of the directory had it, deleted it, forgot that, and moved before.
      if (registry.isEndedByForgotten(issued)) continue;
      throw new Violation(
        "always-handed-over",
        `${machine.address} lost ${describeRecord(record)} as it rejoined`,
      );
    }
    if (
      old !== undefined &&
      known !== undefined &&
      !known.best.record.isDelete &&
      old.covered.has(known.best.number)
    ) {
      throw new Violation(
        "always-gone",
        `${machine.address}: ${describeRecord(known.best.record)} is back, though its predecessor knew a later write`,
      );
    }
  }
}
