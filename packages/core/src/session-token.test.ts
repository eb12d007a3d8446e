import { LoneReplica, replicaId, startId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import type { ReplicaId } from "./ids.ts";
import { SESSION_ORIGINS_MAX } from "./limits.ts";
import { MemberSet } from "./member-set.ts";
import { type Position, positionAt } from "./position.ts";
import { type ReplicaStanding, SESSION_TOKEN_BYTES_MAX, SessionToken } from "./session-token.ts";
import { EPOCH_MS, timestampFromMs } from "./timestamp.ts";
import { VersionVector } from "./version-vector.ts";

const [A, B, C, D] = [1, 2, 3, 4].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId];

interface Shape {
  readonly id?: ReplicaId;
  readonly vector?: Readonly<Record<ReplicaId, number | Position>>;
  readonly members?: MemberSet;
  readonly horizon?: number;
  readonly own?: (timestamp: number) => Position;
}

function standing({
  id = D,
  vector = {},
  members = new MemberSet(),
  horizon = 0,
  own,
}: Shape): ReplicaStanding {
  const all = new VersionVector(
    Object.entries(vector).map(([origin, at]) => [
      origin as ReplicaId,
      typeof at === "number" ? positionAt(at) : at,
    ]),
  );
  return {
    id,
    vector: all,
    durableVector: all,
    members,
    durableMembers: members,
    horizon,
    ownPosition: own ?? ((timestamp) => positionAt(timestamp)),
  };
}

function tokenOf(...seen: [ReplicaId, number][]): SessionToken {
  const token = new SessionToken("default");
  for (const [origin, timestamp] of seen) token.saw({ origin, timestamp }, undefined);
  return token;
}

function decoded(bytes: Uint8Array, mesh = "default"): SessionToken {
  const result = SessionToken.decode(bytes, mesh);
  if ("problem" in result) throw new Error(result.problem);
  return result.token;
}

describe("what a session has seen", () => {
  it("is the latest of each origin, and comes back out of the bytes", () => {
    const token = tokenOf([B, 7], [A, 5], [A, 3]);
    const again = decoded(token.encode(standing({})));
    expect(again.versions().sort((x, y) => x.timestamp - y.timestamp)).toEqual([
      { origin: A, timestamp: 5 },
      { origin: B, timestamp: 7 },
    ]);
  });

  it("merges by the later one", () => {
    const token = tokenOf([A, 5], [B, 1]);
    token.merge(tokenOf([A, 4], [B, 2], [C, 3]));
    expect(token.versions()).toEqual([
      { origin: A, timestamp: 5 },
      { origin: B, timestamp: 2 },
      { origin: C, timestamp: 3 },
    ]);
  });

  it("of an entry is all of its records; of an absent one all that may have been forgotten", () => {
    const lone = new LoneReplica(A, EPOCH_MS + 1_000_000, [B]);
    const winner = lone.write("k", "v");
    const token = new SessionToken("default");
    token.sawEntry({ winner, siblings: [{ ...winner, origin: C, timestamp: 9 }] }, lone.replica);
    expect(token.versions()).toEqual([
      { origin: A, timestamp: winner.timestamp },
      { origin: C, timestamp: 9 },
    ]);
    const absent = new SessionToken("default");
    absent.sawEntry(undefined, standing({ vector: { [A]: 100, [B]: 20 }, horizon: 50 }));
    expect(absent.versions()).toEqual([
      { origin: A, timestamp: 50 },
      { origin: B, timestamp: 20 },
    ]);
  });
});

describe("a replica has what a session has seen", () => {
  it("when its vector covers all of it, durably", () => {
    const token = tokenOf([A, 5], [B, 7]);
    expect(token.missingAt(standing({ vector: { [A]: 5, [B]: 7 } }))).toBeUndefined();
    expect(token.missingAt(standing({ vector: { [A]: 5, [B]: 6 } }))).toEqual({ origin: B, timestamp: 7 });
    expect(token.missingAt(standing({ vector: { [A]: 5 } }))).toEqual({ origin: B, timestamp: 7 });
    const pending = { ...standing({ vector: { [A]: 5, [B]: 7 } }), durableVector: new VersionVector() };
    expect(token.missingAt(pending)).toEqual({ origin: A, timestamp: 5 });
  });

  it("when the replica that wrote it has come back under another id, and all that it offered is here", () => {
    const token = tokenOf([A, 10]);
    const note = (offered: number): MemberSet =>
      new MemberSet().without(A, {
        successor: C,
        adopter: B,
        adoptedAt: 50,
        offered: new VersionVector([[A, positionAt(offered)]]),
        held: new VersionVector([[B, positionAt(50)]]),
      });
    expect(token.missingAt(standing({ vector: { [B]: 50 }, members: note(10) }))).toBeUndefined();
    expect(token.missingAt(standing({ vector: { [B]: 49 }, members: note(10) }))).toBeDefined();
    expect(token.missingAt(standing({ vector: { [B]: 50 }, members: note(9) }))).toBeDefined();
    expect(token.missingAt(standing({ vector: { [B]: 50 } }))).toBeDefined();
  });

  it("not when its vector speaks of another life of that origin, as after a restored directory", () => {
    const before = standing({ vector: { [A]: { timestamp: 100, start: startId(1), recovered: 0 } } });
    const token = new SessionToken("default");
    token.sawVersion({ origin: A, timestamp: 80 }, before);
    // The directory went back to 30, and was written on from there.
    const restored = { timestamp: 200, start: startId(2), recovered: 30 };
    expect(token.missingAt(standing({ vector: { [A]: restored } }))).toEqual({ origin: A, timestamp: 80 });
    const self = standing({ id: A, vector: { [A]: restored }, own: () => restored });
    expect(token.missingAt(self)).toEqual({ origin: A, timestamp: 80 });
    // A mere restart had recovered it.
    const restarted = { timestamp: 200, start: startId(2), recovered: 100 };
    expect(token.missingAt(standing({ vector: { [A]: restarted } }))).toBeUndefined();
    expect(token.missingAt(before)).toBeUndefined();
  });

  it("not when it went on from a copy of that origin's directory, and has been started again since", () => {
    const earlier = [{ id: startId(1), recovered: 0 }];
    const one = { timestamp: 90, start: startId(2), recovered: 50, earlier };
    const other = { timestamp: 90, start: startId(3), recovered: 50, earlier };
    const restarted = {
      timestamp: 200,
      start: startId(4),
      recovered: 150,
      earlier: [{ id: startId(3), recovered: 50 }, ...earlier],
    };
    const seenAt = (position: typeof one, timestamp: number): SessionToken => {
      const token = new SessionToken("default");
      token.sawVersion({ origin: A, timestamp }, standing({ vector: { [A]: position } }));
      return token;
    };
    const replica = standing({ vector: { [A]: restarted } });
    expect(seenAt(one, 80).missingAt(replica)).toEqual({ origin: A, timestamp: 80 });
    expect(seenAt(other, 80).missingAt(replica)).toBeUndefined();
    expect(seenAt(one, 40).missingAt(replica)).toBeUndefined();
    // Who saw it after the restart names the same start.
    const late = seenAt(restarted, 80);
    expect(late.missingAt(standing({ vector: { [A]: other } }))).toBeUndefined();
    expect(late.missingAt(standing({ vector: { [A]: one } }))).toEqual({ origin: A, timestamp: 80 });
  });

  it("whatever became of writes that a crash could take away", () => {
    const token = new SessionToken("default");
    token.saw({ origin: A, timestamp: 80 }, undefined);
    const crashed = { timestamp: 200, start: startId(2), recovered: 30 };
    expect(token.missingAt(standing({ vector: { [A]: crashed } }))).toBeUndefined();
  });

  it("and a token that names the far future changes neither its clock nor its vector", () => {
    const lone = new LoneReplica(A, EPOCH_MS + 1_000_000);
    const token = tokenOf([A, Number.MAX_SAFE_INTEGER], [B, timestampFromMs(Date.UTC(2090, 0))]);
    expect(token.missingAt(lone.replica)).toBeDefined();
    token.encode(lone.replica);
    token.sawForgotten(lone.replica);
    expect(lone.write("k", "v").timestamp).toBeLessThan(timestampFromMs(EPOCH_MS + 2_000_000));
    expect(lone.replica.vector.get(B)).toBe(0);
  });
});

describe("tokens", () => {
  it("of another mesh, another version, or none at all are refused with what is wrong", () => {
    const bytes = tokenOf([A, 5]).encode(standing({}));
    expect(SessionToken.decode(bytes, "other")).toEqual({
      problem: "comes from another mesh: begin a new session",
    });
    const other = bytes.slice(0, -4);
    other[0] = 2;
    const sealed = new ByteWriter().raw(other).u32(crc32c(other)).finish();
    expect(SessionToken.decode(sealed, "default")).toMatchObject({
      problem: expect.stringContaining("another version"),
    });
    expect(SessionToken.decode(new Uint8Array(0), "default")).toMatchObject({
      problem: expect.stringContaining("no token"),
    });
  });

  it("name each origin once, in order", () => {
    const body = new ByteWriter().raw(tokenOf().encode(standing({})).subarray(0, 5)).varint(2);
    for (const origin of [B, A]) body.id(origin).u64(1).u32(0);
    const bytes = body.u32(crc32c(body.written())).finish();
    expect(SessionToken.decode(bytes, "default")).toMatchObject({
      problem: expect.stringContaining("no token"),
    });
  });

  it("are small, and bounded: removed replicas are left out first, the oldest of them", () => {
    expect(tokenOf([A, 5], [B, 5], [C, 5]).encode(standing({})).length).toBeLessThan(80);
    let members = new MemberSet();
    const token = new SessionToken("default");
    for (let number = 1; number <= SESSION_ORIGINS_MAX + 10; number += 1) {
      const origin = replicaId(number);
      token.saw({ origin, timestamp: 1000 - number }, undefined);
      members = number % 2 === 0 ? members.without(origin) : members;
    }
    const bytes = token.encode(standing({ members }));
    expect(bytes.length).toBeLessThanOrEqual(SESSION_TOKEN_BYTES_MAX);
    const kept = new Set(
      decoded(bytes)
        .versions()
        .map(({ origin }) => origin),
    );
    expect(kept.size).toBe(SESSION_ORIGINS_MAX);
    // Of the even ones, those with the least timestamps are gone: the greatest numbers.
    for (let number = 1; number <= SESSION_ORIGINS_MAX + 10; number += 1) {
      const isOut = number % 2 === 0 && number > SESSION_ORIGINS_MAX - 10;
      expect([number, kept.has(replicaId(number))]).toEqual([number, !isOut]);
    }
  });
});
