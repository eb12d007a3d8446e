/** Positions, version vectors and member sets. */
import {
  type Member,
  MemberSet,
  type Position,
  positionAt,
  positionOf,
  type ReplicaId,
  type Succession,
  VersionVector,
} from "@meshkv/core";
import fc from "fast-check";
import { replicaId, replicaIds, startId, startIds, timestamps } from "./identifiers.ts";

/** Positions, known starts and unknown ones, with and without the starts before. */
export function positions(): fc.Arbitrary<Position> {
  const single = fc.record({ timestamp: timestamps(), start: startIds(), recovered: timestamps() });
  const ids = fc.uniqueArray(fc.nat({ max: 20 }), { minLength: 2, maxLength: 4 });
  const ends = fc.uniqueArray(timestamps(), { minLength: 5, maxLength: 5 });
  const chained = fc.tuple(ids, ends).map(([numbers, times]) => {
    const [timestamp = 0, ...recovered] = times.toSorted((a, b) => b - a);
    const [first, ...earlier] = numbers.map((number, index) => ({
      id: startId(number + 1),
      recovered: recovered[index] ?? 0,
    }));
    return { timestamp, start: first?.id ?? startId(1), recovered: first?.recovered ?? 0, earlier };
  });
  return fc.oneof(single, chained);
}

/** Positions of one life that parted twice: a directory was copied at 10, and the copy at 20. */
export function branchTips(): fc.Arbitrary<Position> {
  const [first, copy, second, third] = [
    { id: startId(1), recovered: 0 },
    { id: startId(2), recovered: 10 },
    { id: startId(3), recovered: 20 },
    { id: startId(4), recovered: 20 },
  ];
  const lives = fc.constantFrom([first], [first, copy], [first, copy, second], [first, copy, third]);
  return fc.tuple(lives, fc.integer({ min: 1, max: 30 })).map(([starts, at]) => positionOf(starts, at));
}

/** Version vectors of 0 to 6 origins, timestamp 0 among them. */
export function versionVectors(): fc.Arbitrary<VersionVector> {
  return fc
    .uniqueArray(fc.tuple(replicaIds(), positions()), { maxLength: 6, selector: ([origin]) => origin })
    .map((all) => new VersionVector(all));
}

/**
 * Notes of rejoins. A note is made once, so what was offered follows from who adopted and when: equal names, equal
 * content.
 */
export function successions(): fc.Arbitrary<Succession> {
  return fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.nat({ max: 3 }))
    .map(([successor, adopter, adoptedAt]) => ({
      successor: replicaId(successor),
      adopter: replicaId(adopter),
      adoptedAt,
      offered: new VersionVector([[replicaId(adopter), positionAt(100 + successor * 10 + adoptedAt)]]),
      held: new VersionVector([[replicaId(successor), positionAt(200 + adopter * 10 + adoptedAt)]]),
    }));
}

/** What may be known of a member; few values, so that ties are frequent. */
export function members(): fc.Arbitrary<Member> {
  const base = fc.record({
    removed: fc.boolean(),
    address: fc.constantFrom("", "a:1", "b:2", "host.example:7070"),
    addressTimestamp: fc.nat({ max: 3 }),
    succession: fc.option(successions(), { nil: undefined }),
  });
  const admittedBy = fc.option(fc.integer({ min: 1, max: 3 }).map(replicaId), { nil: undefined });
  return fc
    .tuple(base, admittedBy)
    .map(([member, by]) => (by === undefined ? member : { ...member, admittedBy: by }));
}

/** Sets of 0 to 5 members out of five ids. */
export function memberSets(): fc.Arbitrary<MemberSet> {
  const known: fc.Arbitrary<[ReplicaId, Member]> = fc.tuple(
    fc.integer({ min: 1, max: 5 }).map(replicaId),
    members(),
  );
  const branches = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 3 }).map(replicaId), branchTips()), {
    maxLength: 3,
    selector: ([id]) => id,
  });
  return fc
    .tuple(fc.uniqueArray(known, { maxLength: 5, selector: ([id]) => id }), branches)
    .map(([all, named]) => new MemberSet(all).naming(named));
}
