import { damagedBytes, replicaIds, timestamps } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReplicaId, StartId } from "./ids.ts";
import { MemberSet } from "./member-set.ts";
import { positionAt } from "./position.ts";
import {
  type ReplicaStanding,
  SESSION_TOKEN_BYTES_OF_ONE,
  SessionToken,
  writeTokenOfOne,
} from "./session-token.ts";
import type { Timestamp } from "./timestamp.ts";
import { VersionVector } from "./version-vector.ts";

type Seen = readonly (readonly [ReplicaId, Timestamp])[];

const seen = (): fc.Arbitrary<Seen> => fc.array(fc.tuple(replicaIds(), timestamps()), { maxLength: 12 });

function tokenOf(all: Seen): SessionToken {
  const token = new SessionToken("default");
  for (const [origin, timestamp] of all) token.saw({ origin, timestamp }, undefined);
  return token;
}

function standingOf(all: Seen): ReplicaStanding {
  const vector = new VersionVector();
  for (const [origin, timestamp] of all) vector.advance(origin, positionAt(timestamp));
  const members = new MemberSet();
  return {
    id: "0000000000000000" as ReplicaId,
    vector,
    durableVector: vector,
    members,
    durableMembers: members,
    horizon: 0,
    ownPosition: positionAt,
  };
}

const NOBODY = standingOf([]);

describe("session tokens", () => {
  it("are held by whoever covers all of them, and by nobody else", () => {
    fc.assert(
      fc.property(seen(), seen(), (shown, held) => {
        const token = tokenOf(shown);
        const replica = standingOf(held);
        const missing = shown.filter(([origin, timestamp]) => !replica.vector.covers(origin, timestamp));
        expect(token.missingAt(replica) === undefined).toBe(missing.length === 0);
        expect(token.missingAt(standingOf([...held, ...shown]))).toBeUndefined();
      }),
    );
  });

  it("say the same after any order of seeing, merging and sending", () => {
    fc.assert(
      fc.property(seen(), seen(), (one, other) => {
        const merged = tokenOf(one);
        merged.merge(tokenOf(other));
        const again = SessionToken.decode(merged.encode(NOBODY), "default");
        if ("problem" in again) throw new Error(again.problem);
        const inOneGo = tokenOf([...other, ...one]);
        const sorted = (token: SessionToken): unknown[] =>
          token.versions().sort((a, b) => (a.origin < b.origin ? -1 : 1));
        expect(sorted(again.token)).toEqual(sorted(inOneGo));
        expect(merged.encode(NOBODY)).toEqual(inOneGo.encode(NOBODY));
      }),
    );
  });

  it("are the same when the one record that was seen is written directly", () => {
    fc.assert(
      fc.property(
        replicaIds(),
        timestamps(),
        fc.boolean(),
        fc.boolean(),
        (origin, timestamp, isOwn, isKnown) => {
          const version = { origin, timestamp };
          const start = "0123456789abcdef" as StartId;
          const standing = standingOf([[origin, timestamp]]);
          const replica: ReplicaStanding = {
            ...standing,
            id: isOwn ? origin : standing.id,
            ownPosition: () => ({ timestamp, start, recovered: 0 }),
          };
          const token = new SessionToken("default");
          if (isKnown) token.sawVersion(version, replica);
          else token.saw(version, undefined);
          const direct = new Uint8Array(SESSION_TOKEN_BYTES_OF_ONE + 1);
          writeTokenOfOne(direct, "default", version, isKnown ? replica : undefined);
          expect(direct.subarray(0, SESSION_TOKEN_BYTES_OF_ONE)).toEqual(token.encode(replica));
          expect(direct.at(-1), "nothing is written behind it").toBe(0);
        },
      ),
    );
  });

  it("refuse whatever is damaged, without throwing", () => {
    const valid = seen().map((all) => tokenOf(all).encode(NOBODY));
    fc.assert(
      fc.property(damagedBytes(valid), (bytes) => {
        const result = SessionToken.decode(bytes, "default");
        // What is taken is a token to the byte.
        expect("token" in result ? result.token.encode(NOBODY) : bytes).toEqual(bytes);
      }),
    );
  });
});
