import { damagedBytes, isAccepted, members, memberSets, replicaId, successions } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import type { ReplicaId } from "./ids.ts";
import { positionAt } from "./position.ts";
import { VersionVector } from "./version-vector.ts";
import { MemberSet, readMembers, type Succession, writeMembers } from "./member-set.ts";

const memberIds = fc.integer({ min: 1, max: 5 }).map(replicaId);

function encode(set: MemberSet): Uint8Array {
  const writer = new ByteWriter();
  writeMembers(writer, set);
  return writer.finish();
}

/** The bytes as text: compared faster. */
function textOf(set: MemberSet): string {
  return encode(set).join();
}

function decode(bytes: Uint8Array): MemberSet {
  const reader = new ByteReader(bytes);
  const set = readMembers(reader);
  reader.end();
  return set;
}

describe("merging member sets", () => {
  it("is commutative, associative and idempotent, to the byte", () => {
    fc.assert(
      fc.property(memberSets(), memberSets(), memberSets(), (a, b, c) => {
        expect(textOf(a.merge(b))).toBe(textOf(b.merge(a)));
        expect(textOf(a.merge(b).merge(c))).toBe(textOf(a.merge(b.merge(c))));
        expect(textOf(a.merge(a))).toBe(textOf(a));
        expect(textOf(a.merge(b).merge(b))).toBe(textOf(a.merge(b)));
      }),
      { numRuns: 1000 },
    );
  });

  it("changes neither side", () => {
    fc.assert(
      fc.property(memberSets(), memberSets(), (a, b) => {
        const [before, other] = [encode(a), encode(b)];
        a.merge(b);
        expect([encode(a), encode(b)]).toEqual([before, other]);
      }),
    );
  });

  it("knows everyone that either side knew; removal wins and is final", () => {
    fc.assert(
      fc.property(memberSets(), memberSets(), (a, b) => {
        const both = a.merge(b);
        const ids = new Set([...a.entries(), ...b.entries()].map(([id]) => id));
        expect(new Set([...both.entries()].map(([id]) => id))).toEqual(ids);
        for (const id of ids) {
          expect(both.isRemoved(id)).toBe(a.isRemoved(id) || b.isRemoved(id));
          expect(both.has(id)).toBe(!both.isRemoved(id));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("takes the latest address, and the latest note of a succession", () => {
    fc.assert(
      fc.property(members(), members(), memberIds, (one, other, id) => {
        const merged = new MemberSet([[id, one]]).merge(new MemberSet([[id, other]])).get(id);
        const latest = Math.max(one.addressTimestamp, other.addressTimestamp);
        expect(merged?.addressTimestamp).toBe(latest);
        const addresses = [one, other].filter((m) => m.addressTimestamp === latest).map((m) => m.address);
        expect(addresses).toContain(merged?.address);
        const notes = [one.succession, other.succession].flatMap((note) =>
          note === undefined ? [] : [note],
        );
        // By how much of the replica's own log was offered, then by when that was adopted.
        const order = (note: Succession | undefined): number =>
          note === undefined ? -1 : note.offered.get(id) * 1e6 + note.adoptedAt;
        expect(order(merged?.succession)).toBe(Math.max(-1, ...notes.map(order)));
      }),
      { numRuns: 300 },
    );
  });
});

describe("a member set", () => {
  it("is a current or a removed member, or unknown, for every replica, and lists them ascending", () => {
    fc.assert(
      fc.property(memberSets(), fc.integer({ min: 1, max: 6 }).map(replicaId), (set, id) => {
        const known = set.get(id);
        expect(set.has(id)).toBe(known?.removed === false);
        expect(set.isRemoved(id)).toBe(known?.removed === true);
        expect(set.current()).toEqual(set.current().toSorted());
        expect(set.removed()).toEqual(set.removed().toSorted());
        expect(set.current().length + set.removed().length).toBe([...set.entries()].length);
        expect(set.current().includes(id)).toBe(set.has(id));
        expect(set.removed().includes(id)).toBe(set.isRemoved(id));
      }),
    );
  });

  it("never takes a removed replica back", () => {
    fc.assert(
      fc.property(
        memberSets(),
        memberIds,
        fc.array(members()),
        fc.array(memberSets()),
        (set, id, told, others) => {
          let later = set.without(id);
          for (const member of told) later = later.with(id, { ...member, removed: false });
          for (const other of others) later = other.merge(later);
          expect(later.isRemoved(id)).toBe(true);
          expect(later.current()).not.toContain(id);
        },
      ),
    );
  });

  it("keeps the address of a removed member, and the note that comes with its removal", () => {
    fc.assert(
      fc.property(memberSets(), memberIds, successions(), (set, id, note) => {
        const removed = set.without(id, note);
        expect(removed.get(id)?.address).toBe(set.get(id)?.address ?? "");
        expect(removed.get(id)?.addressTimestamp).toBe(set.get(id)?.addressTimestamp ?? 0);
        const kept = set.get(id)?.succession;
        expect([note, kept]).toContainEqual(removed.get(id)?.succession);
        expect(removed.without(id).get(id)?.succession).toEqual(removed.get(id)?.succession);
      }),
    );
  });

  it("has joiners until anyone has heard that they finished", () => {
    fc.assert(
      fc.property(memberSets(), memberSets(), memberIds, (a, b, id) => {
        const confirmed = a.confirming(id);
        expect(confirmed.joining().map(([joiner]) => joiner)).toEqual(
          a.current().filter((joiner) => joiner !== id && a.get(joiner)?.admittedBy !== undefined),
        );
        const later = b.merge(a).merge(confirmed);
        expect(a.get(id) === undefined || later.get(id)?.admittedBy === undefined).toBe(true);
        expect(confirmed.has(id)).toBe(a.has(id));
      }),
      { numRuns: 300 },
    );
  });

  it("equals another exactly when their bytes are equal", () => {
    fc.assert(
      fc.property(memberSets(), memberSets(), (a, b) => {
        expect(a.equals(b)).toBe(textOf(a) === textOf(b));
        expect(a.equals(decode(encode(a)))).toBe(true);
        expect(a.merge(b).equals(b.merge(a))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the ancestry of a replica", () => {
  const [first, second, third, other] = [1, 2, 3, 4].map(replicaId) as [
    ReplicaId,
    ReplicaId,
    ReplicaId,
    ReplicaId,
  ];
  const note = (id: ReplicaId, successor: ReplicaId, offered: number): Succession => ({
    successor,
    adopter: other,
    adoptedAt: 100 - offered,
    offered: new VersionVector([[id, positionAt(offered)]]),
    held: new VersionVector(),
  });
  const from = new MemberSet()
    .without(first, note(first, second, 20))
    .without(second, note(second, third, 30))
    .without(other, note(other, replicaId(5), 30));

  it("is all whose place it took, one after another, and nobody else", () => {
    const members = new MemberSet().withAncestry(third, from, undefined);
    expect(members.removed()).toEqual([first, second]);
    expect(members.get(first)?.succession?.successor).toBe(second);
    expect(members.get(second)?.succession?.successor).toBe(third);
  });

  it("replaces the note of an earlier rejoin, which ended too early, and names its ghost", () => {
    const ghost = replicaId(6);
    const known = new MemberSet().without(first, note(first, ghost, 10));
    const before = known.with(ghost, {
      removed: false,
      address: "",
      addressTimestamp: 0,
      succession: undefined,
    });
    const after = before.withAncestry(third, from, undefined).droppingGhosts(before, third);
    expect(after.isRemoved(ghost)).toBe(true);
    // And not the other way round, whoever adopted later.
    expect(from.merge(before).get(first)?.succession?.successor).toBe(second);
  });

  it("is removed where it still counts as a member, but for the one that lets the replica in", () => {
    const member = { removed: false, address: "", addressTimestamp: 0, succession: undefined };
    const before = new MemberSet().with(first, member).with(second, member).with(other, member);
    expect(before.withAncestry(third, from, undefined).current()).toEqual([other]);
    expect(before.withAncestry(third, from, first).current()).toEqual([first, other]);
  });
});

describe("the bytes of a member set", () => {
  it("round-trip, the same for every order of learning", () => {
    fc.assert(
      fc.property(memberSets(), (set) => {
        const bytes = encode(set);
        expect(encode(decode(bytes))).toEqual(bytes);
        expect(encode(new MemberSet([...set.entries()].toReversed()).naming(set.branches))).toEqual(bytes);
        expect(new Map(decode(bytes).entries()).size).toBe([...set.entries()].length);
      }),
    );
  });

  it("have one form only, and fail only as misshapen", () => {
    fc.assert(
      fc.property(damagedBytes(memberSets().map(encode)), (bytes) => {
        const taken: MemberSet[] = [];
        isAccepted(() => taken.push(decode(bytes)));
        for (const set of taken) expect(encode(set)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("are refused with a member twice, out of order, or with a flag that is not known", () => {
    const member = (id: number, flags: number): Uint8Array =>
      new ByteWriter().id(replicaId(id)).u8(flags).text("").u64(0).finish();
    const set = (...all: readonly Uint8Array[]): Uint8Array =>
      all
        .reduce((writer, bytes) => writer.raw(bytes), new ByteWriter().varint(all.length))
        .varint(0)
        .finish();
    expect(decode(set(member(1, 0), member(2, 1))).removed()).toEqual([replicaId(2)]);
    for (const wrong of [
      set(member(1, 0), member(1, 0)),
      set(member(2, 0), member(1, 0)),
      set(member(1, 8)),
    ]) {
      expect(() => decode(wrong)).toThrow(FormatError);
    }
  });
});
