/** One key of one replica against the definitions: the winner (section 3), and the conflicts (rule X1). */
import {
  conflictsOf,
  EPOCH_MS,
  type Entry,
  type KeyText,
  TICKS_PER_MS,
  type WriteRecord,
} from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { describeRecord } from "../shell.ts";
import { Violation } from "../violation.ts";
import { type HeldKey, type Holdings, openPuts, wroteAfterDeadline } from "./holdings.ts";
import type { Issued } from "./registry.ts";

export function checkKey(
  machine: Machine,
  held: Holdings,
  key: KeyText,
  entry: Entry | undefined,
  retentionMs: number,
  allowsForks: boolean,
): void {
  const known = held.keys.get(key);
  const where = `${machine.address} ${key}`;
  if (known === undefined) {
    if (entry !== undefined) throw new Violation("always-one-winner", `${where}: an entry out of nothing`);
    return;
  }
  const { best, covered } = known;
  if (entry === undefined) {
    if (!mayBeForgotten(best, held)) {
      throw new Violation(
        "always-one-winner",
        `${where}: nothing, where ${describeRecord(best.record)} should be`,
      );
    }
    return;
  }
  if (!isSame(entry.winner, best.record)) {
    // An older delete that came after the winner was forgotten shows a reader the same.
    if (entry.winner.isDelete && mayBeForgotten(best, held)) return;
    throw new Violation(
      "always-one-winner",
      `${where}: ${describeRecord(entry.winner)}, where ${describeRecord(best.record)} should be`,
    );
  }
  if (covered.has(best.number)) {
    throw new Violation(
      "always-gone",
      `${where}: ${describeRecord(best.record)} wins, though a later author had seen it`,
    );
  }
  checkConflicts(where, held, known, entry, retentionMs, allowsForks);
}

/** A delete, or a put whose deadline every member's clock has passed, at or below the horizon. */
function mayBeForgotten({ record }: Issued, held: Holdings): boolean {
  const { horizon } = held;
  const rank = record.adopted?.rank ?? record.timestamp;
  if (rank > horizon || record.timestamp > horizon) return false;
  return record.isDelete || isDeadlineBelow(record, horizon);
}

function isDeadlineBelow(record: WriteRecord, horizon: number): boolean {
  return record.expiresAtMs > 0 && (record.expiresAtMs - EPOCH_MS) * TICKS_PER_MS <= horizon;
}

function checkConflicts(
  where: string,
  held: Holdings,
  known: HeldKey,
  entry: Entry,
  retentionMs: number,
  allowsForks: boolean,
): void {
  const expected = new Map<number, Issued>();
  for (const issued of openPuts(known)) {
    const { record, number } = issued;
    if (number === known.best.number) continue;
    if (!hasEqualContent(record, entry.winner)) expected.set(number, issued);
  }
  const shown = new Set<number>();
  for (const sibling of conflictsOf(entry)) {
    if (sibling.isDelete || hasEqualContent(sibling, entry.winner))
      throw new Violation("always-true-conflicts", `${where}: ${describeRecord(sibling)} is listed`);
    const issued = known.records.findLast(({ record }) => isSame(record, sibling));
    // Who no longer kept the loser could not name it, whatever adopted the two later.
    const isOver = writtenAt(sibling) + retentionMs * TICKS_PER_MS <= writtenAt(entry.winner);
    // Of three live copies of one directory the names of what two of them share are not told apart: that lists too much.
    if (issued !== undefined && (isOver || allowsForks || isEndedByForgotten(issued, held, known))) {
      shown.add(issued.number);
      continue;
    }
    if (issued === undefined || !expected.has(issued.number) || shown.has(issued.number)) {
      throw new Violation("always-true-conflicts", `${where}: ${describeRecord(sibling)} is no conflict`);
    }
    shown.add(issued.number);
  }
  for (const [number, { record }] of expected) {
    if (shown.has(number)) continue;
    const isOld = record.timestamp <= (held.lastWallMs - retentionMs - EPOCH_MS) * TICKS_PER_MS;
    if (isOld && record.timestamp <= held.horizon) continue;
    // An expired loser may have been forgotten while it was the winner.
    if (isDeadlineBelow(record, held.horizon)) continue;
    throw new Violation(
      "always-all-conflicts",
      `${where}: ${describeRecord(record)} is a conflict and not listed`,
    );
  }
}

/** When the author of a record wrote it, by its own clock. */
function writtenAt({ timestamp, adopted }: WriteRecord): number {
  return adopted?.timestamp ?? timestamp;
}

/**
 * Its deadline had passed when others wrote; but they may be forgotten, or were covered by what is, and who has forgotten
 * them cannot say so.
 */
function isEndedByForgotten(issued: Issued, held: Holdings, known: HeldKey): boolean {
  if (known.covered.has(issued.number)) return false;
  const later = known.records.filter((other) => wroteAfterDeadline(other, issued));
  return (
    later.length > 0 && later.every((other) => mayBeForgotten(other, held) || known.covered.has(other.number))
  );
}

function hasEqualContent(a: WriteRecord, b: WriteRecord): boolean {
  if (a.isDelete !== b.isDelete || a.expiresAtMs !== b.expiresAtMs) return false;
  return String.fromCharCode(...a.value) === String.fromCharCode(...b.value);
}

function isSame(a: WriteRecord, b: WriteRecord): boolean {
  return a.timestamp === b.timestamp && a.origin === b.origin && a.checksum === b.checksum;
}
