import {
  create,
  type MessageInitShape,
  type VerifyResponse_Result_Outcome,
  VerifyResponseSchema,
} from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { verifyEventOf } from "./verification.ts";

const ABOUT = { replicaId: "00000000000000aa", address: "127.0.0.1:4001" };

function eventOf(kind: MessageInitShape<typeof VerifyResponseSchema>["kind"]): unknown {
  return verifyEventOf(create(VerifyResponseSchema, { ...ABOUT, ...(kind && { kind }) }));
}

describe("what a comparison tells", () => {
  it("is a check, sound only with the digest of its writes and without damage", () => {
    const check = (fields: object) =>
      eventOf({ case: "check", value: { keys: 5n, digest: "aa", computedDigest: "aa", ...fields } });
    const digests = { digest: "aa", computedDigest: "aa" };
    const sound = { ...ABOUT, type: "check", keys: 5, isSound: true, damagedRows: 0, ...digests };
    expect(check({})).toEqual(sound);
    expect(check({ computedDigest: "bb" })).toEqual({ ...sound, isSound: false, computedDigest: "bb" });
    expect(check({ damagedRows: 2n })).toEqual({ ...sound, isSound: false, damagedRows: 2 });
  });

  it("is a key that differs, or is on one side only", () => {
    const key = Uint8Array.of(107, 255);
    expect(eventOf({ case: "difference", value: { key, version: "1", peerVersion: "" } })).toMatchObject({
      ...ABOUT,
      type: "difference",
      keyBytes: key,
      version: "1",
      peerVersion: undefined,
    });
  });

  it("is what became of a member", () => {
    const value = {
      comparedKeys: 9n,
      differingKeys: 2n,
      unsettledKeys: 1n,
      digest: "aa",
      peerDigest: "bb",
      reason: "why",
      duration: { seconds: 2n },
    };
    const outcomes = ["unknown", "equal", "different", "unreachable", "not-settled", "not-comparable"];
    for (const [number, outcome] of outcomes.entries()) {
      expect(
        eventOf({ case: "result", value: { ...value, outcome: number as VerifyResponse_Result_Outcome } }),
      ).toEqual({
        ...ABOUT,
        type: "result",
        outcome,
        comparedKeys: 9,
        differingKeys: 2,
        unsettledKeys: 1,
        digest: "aa",
        peerDigest: "bb",
        durationMs: 2000,
        reason: "why",
      });
    }
    expect(eventOf({ case: "progress", value: { keys: 7n } })).toEqual({
      ...ABOUT,
      type: "progress",
      comparedKeys: 7,
    });
    expect(eventOf({ case: undefined })).toBeUndefined();
  });
});
