/** The invariants of ARCHITECTURE.md over one state of a small world. Each judgement is made once and remembered. */
import {
  compareRecords,
  conflictsOf,
  Digest,
  type Entry,
  EPOCH_MS,
  hasSameContent,
  rankOf,
  TICKS_PER_MS,
  timestampFromMs,
  type WriteRecord,
} from "@meshkv/core";
import { type History, inMask, isSuperseded, type IssuedRecord, nameOf } from "./history.ts";
import type { MachineView } from "./live-machine.ts";

/** A promise that did not hold in some course of events. */
export class Broken extends Error {
  override name = "Broken";
}

function deadlineOf({ expiresAtMs }: WriteRecord): number {
  return expiresAtMs === 0 ? 0 : timestampFromMs(expiresAtMs);
}

/** What a machine serves against what it has accepted: one winner, all conflicts and only true ones, coverage. */
export function judgeMachine(
  view: MachineView,
  history: History,
  durable: number,
  everDurable: number,
): void {
  const held = inMask(history, durable);
  for (const [index, issued] of history.records.entries()) {
    const { origin, timestamp } = issued.record;
    const isClaimed = view.vector.get(origin) >= timestamp && (everDurable & (1 << index)) !== 0;
    if (isClaimed && (durable & (1 << index)) === 0 && origin !== view.replica)
      throw new Broken(`always-covered: ${view.replica} claims ${nameOf(issued.record)} and has it not`);
  }
  for (const key of new Set([...view.entries.keys(), ...held.map(({ record }) => record.key)])) {
    judgeKey(
      view,
      view.entries.get(key),
      held.filter(({ record }) => record.key === key),
    );
  }
}

function judgeKey(view: MachineView, entry: Entry | undefined, held: readonly IssuedRecord[]): void {
  const [first, ...others] = held;
  if (first === undefined) {
    if (entry !== undefined) throw new Broken(`always-one-winner: ${nameOf(entry.winner)} out of nothing`);
    return;
  }
  const best = others.reduce((a, b) => (compareRecords(a.record, b.record) >= 0 ? a : b), first);
  const mayBeForgotten =
    Math.max(rankOf(best.record), best.record.timestamp) <= view.horizon &&
    (best.record.isDelete || (best.record.expiresAtMs > 0 && deadlineOf(best.record) <= view.horizon));
  if (entry === undefined) {
    if (!mayBeForgotten) throw new Broken(`always-one-winner: nothing instead of ${nameOf(best.record)}`);
    return;
  }
  if (nameOf(entry.winner) !== nameOf(best.record)) {
    if (entry.winner.isDelete && mayBeForgotten) return;
    throw new Broken(`always-one-winner: ${nameOf(entry.winner)} instead of ${nameOf(best.record)}`);
  }
  if (held.some(({ seen, number }) => number !== best.number && (seen & (1 << best.number)) !== 0))
    throw new Broken(`always-gone: ${nameOf(best.record)} wins, though a later author had seen it`);
  judgeConflicts(view, entry, held, best);
}

function judgeConflicts(
  view: MachineView,
  entry: Entry,
  held: readonly IssuedRecord[],
  best: IssuedRecord,
): void {
  const shown = new Set(
    conflictsOf(entry).map((sibling) => {
      const issued = held.find(({ record }) => nameOf(record) === nameOf(sibling));
      if (issued === undefined) throw new Broken(`always-true-conflicts: ${nameOf(sibling)} is nothing's`);
      return issued.number;
    }),
  );
  for (const issued of held) {
    const { record, number } = issued;
    const isOne =
      !record.isDelete &&
      number !== best.number &&
      !hasSameContent(record, entry.winner) &&
      !isSuperseded(issued, held, deadlineOf(record));
    if (!isOne && shown.has(number) && !held.some((other) => other !== issued && other.number === number))
      throw new Broken(`always-true-conflicts: ${nameOf(record)} is listed`);
    const isOver = record.expiresAtMs > 0 && (record.expiresAtMs - EPOCH_MS) * TICKS_PER_MS <= view.horizon;
    if (isOne && !shown.has(number) && !isOver)
      throw new Broken(`always-all-conflicts: ${nameOf(record)} is not listed`);
  }
}

/** The kept digest is the digest of the entries. */
export function judgeDigest(view: MachineView): void {
  const digest = new Digest();
  for (const { winner } of view.entries.values()) {
    if (!winner.isDelete && winner.expiresAtMs === 0) digest.add(winner.key, winner.timestamp, winner.origin);
  }
  if (digest.summary() !== view.digest) throw new Broken(`always-digest: of ${view.replica}`);
}

/** Vector, horizon, floors and removals never go back on one replica. */
export function judgeStep(before: MachineView, after: MachineView): void {
  if (before.replica !== after.replica) return;
  const goesBack =
    after.horizon < before.horizon ||
    !after.vector.includes(before.vector) ||
    [...before.floors].some(([origin, floor]) => (after.floors.get(origin) ?? 0) < floor) ||
    before.removed.some((member) => !after.removed.includes(member));
  if (goesBack) throw new Broken(`always-monotone: ${before.replica} goes back`);
}

/** Replicas with equal vectors serve the same. */
export function judgePair(a: MachineView, b: MachineView): void {
  if (a.vector.size === 0 || !a.vector.equals(b.vector)) return;
  if (a.digest !== b.digest) throw new Broken(`always-converged: digests of ${a.replica} and ${b.replica}`);
  for (const key of new Set([...a.entries.keys(), ...b.entries.keys()])) {
    const [left, right] = [lasting(a.entries.get(key)), lasting(b.entries.get(key))];
    if (left !== right) throw new Broken(`always-converged: ${key}: ${left} and ${right}`);
  }
}

function lasting(entry: Entry | undefined): string {
  if (entry === undefined || entry.winner.isDelete || entry.winner.expiresAtMs > 0) return "nothing";
  return nameOf(entry.winner);
}

/** A write that was acknowledged is durable somewhere, or superseded there. */
export function judgeAcknowledged(history: History, acknowledged: number, durable: readonly number[]): void {
  for (const issued of inMask(history, acknowledged)) {
    const isKept = durable.some((mask) => {
      const held = inMask(history, mask);
      return (
        held.some(({ number, record }) => number === issued.number && record.key === issued.record.key) ||
        isSuperseded(issued, held, deadlineOf(issued.record))
      );
    });
    if (!isKept) throw new Broken(`always-kept: ${nameOf(issued.record)} was acknowledged and is lost`);
  }
}
