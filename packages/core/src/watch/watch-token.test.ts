import {
  LoneReplica,
  replicaId,
  startId,
  timestamps,
  versionVectors,
  withByteChanged,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type KeyText, UNKNOWN_START } from "../ids.ts";
import { type Position, positionAt } from "../position.ts";
import { SessionToken } from "../session-token.ts";
import { EPOCH_MS } from "../timestamp.ts";
import { VersionVector } from "../version-vector.ts";
import {
  decodeWatchToken,
  encodeWatchToken,
  WATCH_TOKEN_BYTES_MAX,
  type WatchResume,
} from "./watch-token.ts";

const NOW_MS = EPOCH_MS + 10_000_000;
const { replica } = new LoneReplica(replicaId(1), NOW_MS, []);
const { name } = replica.identity.mesh;

const resumes: fc.Arbitrary<WatchResume> = fc
  .record({
    vector: versionVectors(),
    markMs: fc.nat({ max: 2 ** 45 }),
    base: timestamps(),
    mesh: fc.nat({ max: 0xffff_ffff }),
    snapshot: fc.option(fc.record({ after: fc.option(fc.constant("key" as KeyText), { nil: undefined }) }), {
      nil: undefined,
    }),
  })
  .map(({ snapshot, ...at }) => ({ at, snapshot, seen: new SessionToken(name) }));

/** What of a vector a token says: where each origin is, and in which of its starts, if one can be that. */
const toldOf = (vector: VersionVector): Record<string, Position> =>
  Object.fromEntries(
    [...vector.entries()].flatMap(([origin, { timestamp, start, recovered }]) => {
      if (timestamp === 0) return [];
      const isKnown = start !== UNKNOWN_START && recovered < timestamp;
      return [[origin, isKnown ? { timestamp, start, recovered } : positionAt(timestamp)]];
    }),
  );

describe("a watch token", () => {
  it("says where to go on", () => {
    fc.assert(
      fc.property(resumes, (resume) => {
        const decoded = decodeWatchToken(encodeWatchToken(resume, replica), name);
        if ("problem" in decoded) throw new Error(decoded.problem);
        const { at, snapshot } = decoded.resume;
        expect({ ...at, vector: toldOf(at.vector) }).toEqual({
          ...resume.at,
          vector: toldOf(resume.at.vector),
        });
        expect(snapshot).toEqual(resume.snapshot);
      }),
    );
  });

  it("is refused when any byte of it was changed, or it is of another mesh", () => {
    fc.assert(
      fc.property(resumes, fc.nat(), fc.integer({ min: 1, max: 255 }), (resume, at, mask) => {
        const token = encodeWatchToken(resume, replica);
        expect(decodeWatchToken(withByteChanged(token, at % token.length, mask), name)).toHaveProperty(
          "problem",
        );
      }),
    );
    const at = { vector: new VersionVector(), markMs: 0, base: 0, mesh: 0 };
    const token = encodeWatchToken({ at, snapshot: undefined, seen: new SessionToken(name) }, replica);
    expect(decodeWatchToken(token, "other")).toEqual({ problem: expect.stringContaining("another mesh") });
  });

  it("is refused when it is anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeWatchToken(bytes, name)).toHaveProperty("problem");
      }),
    );
    expect(decodeWatchToken(new Uint8Array(WATCH_TOKEN_BYTES_MAX + 1), name)).toHaveProperty("problem");
  });

  it("is about one and a half kilobytes in a mesh of thirty, and bounded in any", () => {
    const tokenOf = (members: number): Uint8Array => {
      const vector = new VersionVector();
      const seen = new SessionToken(name);
      for (let index = 0; index < members; index += 1) {
        const timestamp = 4096 * (NOW_MS - EPOCH_MS) - index * 40_000;
        const recovered = timestamp - 40_000_000_000;
        vector.advance(replicaId(index + 1), { timestamp, start: startId(1), recovered });
        seen.saw({ origin: replicaId(index + 1), timestamp }, undefined);
      }
      return encodeWatchToken(
        { at: { vector, markMs: NOW_MS, base: 1, mesh: 1 }, seen, snapshot: undefined },
        replica,
      );
    };
    expect(tokenOf(30).length).toBeLessThan(1650);
    expect(tokenOf(1000).length).toBeLessThan(WATCH_TOKEN_BYTES_MAX);
  });
});
