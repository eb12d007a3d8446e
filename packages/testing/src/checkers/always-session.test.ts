import { describe, expect, it } from "vitest";
import { alwaysSession, type SessionStep } from "./always-session.ts";

function step(kind: SessionStep["kind"], version: string | undefined, session = "s"): SessionStep {
  return { session, server: "a", key: "k", kind, version };
}

describe("alwaysSession", () => {
  it("passes what only gets newer", () => {
    const steps = [step("get", undefined), step("set", "1"), step("get", "1"), step("get", "3")];
    expect(
      alwaysSession([...steps, step("delete", "4"), step("get", undefined)], [{ key: "k", version: "4" }]),
    ).toEqual([]);
    expect(alwaysSession([step("get", "3"), step("get", "1", "another session")], [])).toEqual([]);
  });

  it("finds reads that are older than a write or a read before", () => {
    expect(alwaysSession([step("set", "2"), step("get", "1")], [])).toHaveLength(1);
    expect(alwaysSession([step("get", "2"), step("get", "1")], [])).toHaveLength(1);
  });

  it("finds a key that is gone though nobody can have deleted it since", () => {
    expect(alwaysSession([step("set", "2"), step("get", undefined)], [])).toHaveLength(1);
    const older = [{ key: "k", version: "1" }];
    expect(alwaysSession([step("set", "2"), step("get", undefined)], older)).toHaveLength(1);
    const other = [{ key: "other", version: undefined }];
    expect(alwaysSession([step("set", "2"), step("get", undefined)], other)).toHaveLength(1);
    expect(
      alwaysSession([step("set", "2"), step("get", undefined)], [{ key: "k", version: undefined }]),
    ).toEqual([]);
  });

  it("finds a key that comes back after it was seen to be gone", () => {
    const steps = [step("get", "2"), step("get", undefined), step("get", "2")];
    expect(alwaysSession(steps, [{ key: "k", version: "3" }])).toHaveLength(1);
  });

  it("finds a write that does not come after what the session has seen", () => {
    expect(alwaysSession([step("get", "5"), { ...step("set", "4"), key: "other" }], [])).toHaveLength(1);
  });

  it("takes a version that a rejoin has given for no place in the order", () => {
    const steps = [step("get", "9"), step("get", "5"), step("set", "4")];
    const isOrdered = (version: string): boolean => version !== "9";
    // The read of 5 is in order, since 9 says nothing; the write has to be above both all the same.
    expect(alwaysSession(steps, [], isOrdered)).toHaveLength(2);
    expect(alwaysSession(steps.slice(0, 2), [], isOrdered)).toEqual([]);
    expect(alwaysSession(steps.slice(0, 2), [])).toHaveLength(1);
  });
});
