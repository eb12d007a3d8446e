import { describe, expect, it } from "vitest";
import type { ReplicaId, StartId } from "./ids.ts";
import { mergeSessionTokens } from "./session-token-merge.ts";
import { type ReplicaStanding, SessionToken } from "./session-token.ts";

const MESH = "mesh";
const START = "0123456789abcdef" as StartId;
/** Of a replica's state, encoding looks only at members, and only of tokens that are too long. */
const NOBODY = {} as ReplicaStanding;

function tokenOf(seen: Readonly<Record<string, number>>, mesh = MESH): SessionToken {
  const token = new SessionToken(mesh);
  for (const [origin, timestamp] of Object.entries(seen)) {
    token.saw(
      { origin: origin.padStart(16, "0") as ReplicaId, timestamp },
      timestamp % 2 === 0 ? START : undefined,
    );
  }
  return token;
}

describe("tokens that clients merge", () => {
  it.each([
    [
      { a: 4, b: 7 },
      { b: 6, c: 9 },
    ],
    [{}, { a: 1 }],
    [{ a: 1 }, {}],
    [
      { f: 12, a: 3 },
      { a: 4, f: 12 },
    ],
  ])("%j and %j have seen what replicas would say they have", (first, second) => {
    const [a, b] = [tokenOf(first), tokenOf(second)];
    const merged = mergeSessionTokens(a.encode(NOBODY), b.encode(NOBODY));
    a.merge(b);
    expect(merged).toEqual(a.encode(NOBODY));
    expect(SessionToken.decode(merged, MESH)).toHaveProperty("token");
  });

  it("of two meshes do not merge, nor does what is none", () => {
    const [here, there] = [tokenOf({ a: 1 }).encode(NOBODY), tokenOf({ a: 2 }, "other").encode(NOBODY)];
    expect(mergeSessionTokens(here, there)).toBe(there);
    for (const nothing of [new Uint8Array(), here.subarray(0, 9), new Uint8Array([2, ...here.subarray(1)])]) {
      expect(mergeSessionTokens(here, nothing)).toBe(nothing);
      expect(mergeSessionTokens(nothing, here)).toBe(here);
    }
  });

  it("stay readable when they saw more origins than a token holds", () => {
    const many = (offset: number): Uint8Array =>
      tokenOf(
        Object.fromEntries(Array.from({ length: 100 }, (_, at) => [(offset + at).toString(16), at + 1])),
      ).encode(NOBODY);
    const second = many(1000);
    expect(mergeSessionTokens(many(0), second)).toBe(second);
  });
});
