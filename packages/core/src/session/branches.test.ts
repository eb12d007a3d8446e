import { replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import { type Position, positionAt, positionOf } from "../position.ts";
import { makeRecord } from "../record.ts";
import { VersionVector } from "../version-vector.ts";
import {
  findStrays,
  namedBy,
  nameOfStart,
  renameStray,
  strayOrigin,
  withCopies,
  withStrays,
} from "./branches.ts";

const [COPIED, OTHER] = [replicaId(1), replicaId(2)];
const [S1, S2, S3] = [startId(1), startId(2), startId(3)];
const NO_MEMBERS = new MemberSet();

/** The directory was copied at 10. The mesh follows the copy; the original went on in its start, then restarted. */
const FOLLOWED = positionOf(
  [
    { id: S1, recovered: 0 },
    { id: S2, recovered: 10 },
  ],
  40,
);
const STRAY = positionOf(
  [
    { id: S1, recovered: 0 },
    { id: S3, recovered: 20 },
  ],
  30,
);

function straysOf(position: Position): ReturnType<typeof findStrays> {
  const mesh = new VersionVector([[COPIED, FOLLOWED]]);
  return findStrays(new Map([[COPIED, position]]), mesh, NO_MEMBERS);
}

function write(timestamp: number, seen: readonly number[] = []): ReturnType<typeof makeRecord> {
  return makeRecord({
    timestamp,
    origin: COPIED,
    key: "key" as KeyText,
    isDelete: false,
    value: new Uint8Array(),
    expiresAtMs: 0,
    context: seen.map((at) => ({ origin: COPIED, timestamp: at })),
    moreFollows: false,
    adopted: undefined,
  });
}

describe("writes of a copied directory", () => {
  it("keep their names while nothing parts", () => {
    expect(straysOf(FOLLOWED).size).toBe(0);
    expect(findStrays(new Map([[OTHER, STRAY]]), new VersionVector(), NO_MEMBERS).size).toBe(0);
    const record = write(25, [20]);
    expect(renameStray(record, straysOf(FOLLOWED))).toBe(record);
  });

  it("part from what the mesh has, and beyond that from what was offered first", () => {
    expect(straysOf(STRAY).get(COPIED)?.common).toBe(10);
    const mine = new Map([[COPIED, STRAY]]);
    const members = NO_MEMBERS.naming([[COPIED, FOLLOWED]]);
    const nothing = new VersionVector();
    expect(findStrays(mine, nothing, members).get(COPIED)?.common).toBe(10);
    const before = new VersionVector([[COPIED, positionOf([{ id: S1, recovered: 0 }], 5)]]);
    expect(findStrays(mine, before, members).get(COPIED)?.common).toBe(10);
    expect(findStrays(new Map([[COPIED, FOLLOWED]]), before, members).size).toBe(0);
    // What the mesh has in a log is meant by the name, whatever was offered to one who did not know of it.
    const mesh = new VersionVector([[COPIED, STRAY]]);
    expect(findStrays(mine, mesh, members).size).toBe(0);
  });

  it("give the name its meaning where no other branch has it", () => {
    const branches = new Map([
      [COPIED, STRAY],
      [OTHER, FOLLOWED],
    ]);
    const nothing = new VersionVector();
    expect([...namedBy(branches, nothing, new Map())]).toEqual([...branches]);
    expect([...namedBy(branches, nothing, straysOf(STRAY))]).toEqual([[OTHER, FOLLOWED]]);
    const mesh = new VersionVector([[OTHER, FOLLOWED]]);
    expect([...namedBy(branches, mesh, new Map())]).toEqual([[COPIED, STRAY]]);
  });

  it("are named after the start that issued them, beyond the parting", () => {
    const strays = straysOf(STRAY);
    expect(renameStray(write(9), strays).origin).toBe(COPIED);
    expect(renameStray(write(15), strays).origin).toBe(strayOrigin(COPIED, S1));
    expect(renameStray(write(25), strays).origin).toBe(strayOrigin(COPIED, S3));
    expect(renameStray(write(25), strays).checksum).toBe(write(25).checksum);
  });

  it("are named alike in contexts, so that nobody seems to have seen the other copy's", () => {
    const { context } = renameStray(write(30, [25]), straysOf(STRAY));
    const seen = new Map(context.map(({ origin, timestamp }) => [origin, timestamp]));
    expect(seen).toEqual(
      new Map([
        [COPIED, 10],
        [strayOrigin(COPIED, S1), 20],
        [strayOrigin(COPIED, S3), 25],
      ]),
    );
  });

  it("count as offered by both names", () => {
    const offered = withStrays(new VersionVector([[COPIED, STRAY]]), straysOf(STRAY));
    expect(offered.get(COPIED)).toBe(30);
    expect(offered.get(strayOrigin(COPIED, S1))).toBe(20);
    expect(offered.get(strayOrigin(COPIED, S3))).toBe(30);
  });

  it("count by the starts that issued them, once a second copy was offered", () => {
    const first = new VersionVector([[COPIED, FOLLOWED]]);
    const second = new VersionVector([[COPIED, STRAY]]);
    expect(withCopies(second, COPIED, undefined)).toBe(second);
    const both = withCopies(second, COPIED, withStrays(first, straysOf(FOLLOWED)));
    expect(both.get(COPIED)).toBe(30);
    const ends = [S1, S2, S3].map((start) => both.get(strayOrigin(COPIED, start)));
    expect(ends).toEqual([20, 40, 30]);
    // And the third keeps what the second had taken over.
    const third = withCopies(
      new VersionVector([[COPIED, positionOf([{ id: S1, recovered: 0 }], 50)]]),
      COPIED,
      both,
    );
    expect([S1, S2, S3].map((start) => third.get(strayOrigin(COPIED, start)))).toEqual([50, 40, 30]);
  });

  it("count together with what the first copy had offered of others", () => {
    const third = replicaId(16);
    const [own, further] = [
      positionOf([{ id: S1, recovered: 0 }], 50),
      positionOf([{ id: S3, recovered: 0 }], 60),
    ];
    const offers = (others: Position): VersionVector =>
      new VersionVector([
        [COPIED, own],
        [third, others],
      ]);
    const less = positionOf([{ id: S3, recovered: 0 }], 20);
    for (const [first, second] of [[further, less] as const, [less, further] as const]) {
      const both = withCopies(offers(second), COPIED, offers(first));
      expect(both.position(third)).toEqual(further);
      expect(both.position(COPIED)).toEqual(own);
    }
    const parted = withCopies(offers(STRAY), COPIED, offers(FOLLOWED));
    expect(parted.position(third)).toEqual(STRAY);
    expect([S1, S2, S3].map((start) => parted.get(strayOrigin(third, start)))).toEqual([20, 40, 30]);
  });

  it("have the name of the start that issued them, where that is known", () => {
    expect(nameOfStart(COPIED, STRAY, 30)).toBe(strayOrigin(COPIED, S3));
    expect(nameOfStart(COPIED, STRAY, 20)).toBe(strayOrigin(COPIED, S1));
    expect(nameOfStart(COPIED, STRAY, 31)).toBeUndefined();
    expect(nameOfStart(COPIED, positionAt(30), 30)).toBeUndefined();
  });
});
