/**
 * How a write is said to be settled where what had settled it does not say so. A context does not name what its
 * writer's mesh had forgotten (docs/decisions/0019-settled-across-meshes.md): of a write that was taken to another mesh
 * before, by a rejoin that was broken off or over a third replica, nothing there would cover it. So whoever knows states a
 * delete that competes by the write's own rank, and has seen it: it beats that write and nothing that is newer. Pure.
 */
import { ContextBuilder } from "../context.ts";
import type { Entry } from "../entry.ts";
import type { MemberSet } from "../member-set.ts";
import { makeRecord, originalTimestamp, rankOf, type WriteRecord } from "../record.ts";
import { branchMeant } from "../session/branches.ts";
import { isCovered } from "../session/coverage.ts";
import type { Version } from "../version.ts";
import type { VersionVector } from "../version-vector.ts";
import { isOutdated } from "./adoption.ts";

const EMPTY = new Uint8Array(0);

/** The deletes that settle writes of one key, as one batch. */
export function* settlingsOf(
  settled: readonly WriteRecord[],
  nextVersion: () => Version,
): Generator<WriteRecord> {
  for (const [index, record] of settled.entries())
    yield settlingOf(record, nextVersion(), index < settled.length - 1);
}

/** The delete that settles a write; whoever states it gives it the same name, so that all of them are one write. */
function settlingOf(record: WriteRecord, version: Version, moreFollows: boolean): WriteRecord {
  const original = record.adopted ?? record;
  const context = new ContextBuilder();
  for (const seen of record.context) context.add(seen.origin, seen.timestamp);
  // Not the adopter's version: that would be to have seen whatever it had adopted before.
  context.add(original.origin, original.timestamp);
  const rank = Math.min(rankOf(record), originalTimestamp(record), version.timestamp);
  return makeRecord({
    timestamp: version.timestamp,
    origin: version.origin,
    key: record.key,
    isDelete: true,
    value: EMPTY,
    expiresAtMs: 0,
    context: context.build(),
    moreFollows,
    adopted: {
      timestamp: original.timestamp,
      origin: original.origin,
      checksum: settlingChecksum(original.checksum),
      rank,
      raised: false,
    },
  });
}

/** By this checksum a delete names the write that it settles; the same function leads back. */
export function settlingChecksum(checksum: number): number {
  return ~checksum >>> 0;
}

/**
 * Whether an adopted put has come that was here under another name, and was settled since: what this replica has of
 * its first author's log, or was offered before, includes it, and its key's entry has something later instead.
 */
export function isSettledHere(
  entry: Entry | undefined,
  record: WriteRecord,
  vector: VersionVector,
  members: MemberSet,
): boolean {
  const { adopted, isDelete } = record;
  if (entry === undefined || adopted === undefined || isDelete || isOutdated(entry, record)) return false;
  // Names that stand for branches of copied directories are no members': what of them is here cannot be told for certain.
  if (members.get(adopted.origin) === undefined) return false;
  const meant = new Map([[adopted.origin, branchMeant(adopted.origin, vector, members)]]);
  return (
    mayBeSettledBy([entry.winner, ...entry.siblings], record) && isCovered(adopted, vector, members, meant)
  );
}

/**
 * Whether records of a key that a replica has can be what is left after it had seen a write: one of them is later, and
 * none is the write itself, by whatever name. Two adopters may name a write of a copied directory differently.
 */
export function mayBeSettledBy(left: readonly WriteRecord[], record: WriteRecord): boolean {
  const { timestamp, checksum } = record.adopted ?? record;
  const isWrite = ({ adopted, ...own }: WriteRecord): boolean =>
    (adopted ?? own).timestamp === timestamp && (adopted ?? own).checksum === checksum;
  return left.some((one) => originalTimestamp(one) > timestamp) && !left.some(isWrite);
}
