/** What may be left of deletes, deadlines and logs in a world at rest, and why (rule F2). */
import {
  type Entry,
  isCovered,
  type MemberSet,
  timestampToMs,
  type VersionVector,
  type WriteRecord,
} from "@meshkv/core";
import { describeRecord } from "../shell.ts";

/** What a mesh at rest has. */
export interface Rest {
  readonly vector: VersionVector;
  readonly members: MemberSet;
  readonly nowMs: number;
  /** Directories are gone, and with them writes that others had seen. */
  readonly hasLostDisks: boolean;
}

/** Whether a record of a log, or a winner that shows a reader nothing, has a reason to be there still. */
export function mayStay(record: WriteRecord, entry: Entry | undefined, rest: Rest): boolean {
  const kept = entry === undefined ? [record] : [record, entry.winner, ...entry.siblings];
  return kept.some((one) => waitsForTime(one, rest) || waitsForTheDead(one, rest));
}

/** Written under a clock that ran ahead: the retention of conflicts ends when time has come there. */
function waitsForTime({ timestamp }: WriteRecord, { nowMs }: Rest): boolean {
  return timestampToMs(timestamp) > nowMs;
}

/**
 * A tombstone stays while its context names a write that nobody can say to be here: of a replica that died in the
 * middle of its rejoin, or that was lost with all disks that held it. Should one come back, the deleted write would.
 */
function waitsForTheDead(record: WriteRecord, rest: Rest): boolean {
  return lackingOf(record, rest).some(
    ({ origin }) => rest.hasLostDisks || rest.members.get(origin) === undefined,
  );
}

/** What a record's author had seen, and the mesh cannot say to have. */
function lackingOf(record: WriteRecord, { vector, members }: Rest): WriteRecord["context"] {
  return record.context.filter((seen) => !isCovered(seen, vector, members, new Map()));
}

/** A record that should be gone, in words. */
export function describeKept(record: WriteRecord, entry: Entry | undefined, rest: Rest): string {
  const others = entry === undefined ? [] : [entry.winner, ...entry.siblings];
  const lacking = [record, ...others].flatMap((one) => lackingOf(one, rest));
  const names = lacking.map(({ origin, timestamp }) => `${timestamp}@${origin.slice(0, 4)}`);
  return `${[record, ...others].map(describeRecord).join(" + ")}, naming ${names.join(" ")}`;
}
