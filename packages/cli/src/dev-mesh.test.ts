import type { MemberInfo, ReplicaStatus } from "@meshkv/client";
import { describe, expect, it } from "vitest";
import { isOneMesh } from "./dev-mesh.ts";

function member(replicaId: string, state: MemberInfo["state"]): MemberInfo {
  return {
    replicaId,
    state,
    address: "",
    lagRecords: undefined,
    lagMs: undefined,
    lastSeen: undefined,
    holdsHorizon: false,
    clockOffsetMs: undefined,
    successor: undefined,
  };
}

function status(
  replicaId: string,
  connected: readonly string[],
  fields: Partial<ReplicaStatus> = {},
): ReplicaStatus {
  return {
    replicaId,
    meshName: "default",
    meshId: "m",
    state: "ready",
    stateReason: "",
    serverVersion: "",
    uptimeMs: undefined,
    keys: 0,
    storageBytes: 0,
    digest: "",
    clockOffsetMs: 0,
    horizonTime: undefined,
    horizonHeldBy: undefined,
    positions: [],
    members: [member(replicaId, "self"), ...connected.map((id) => member(id, "connected"))],
    ...fields,
  };
}

describe("isOneMesh", () => {
  it("takes replicas that are all connected to each other", () => {
    expect(isOneMesh([status("a", [])])).toBe(true);
    expect(isOneMesh([status("a", ["b", "c"]), status("b", ["a", "c"]), status("c", ["a", "b"])])).toBe(true);
  });

  it("does not mind members that are not among them", () => {
    const a = status("a", ["b"]);
    const members = [...a.members, member("x", "unreachable")];
    expect(isOneMesh([{ ...a, members }, status("b", ["a"])])).toBe(true);
  });

  it("refuses everything less", () => {
    expect(isOneMesh([])).toBe(false);
    expect(isOneMesh([status("a", []), undefined])).toBe(false);
    expect(isOneMesh([status("a", ["b"]), status("b", [])])).toBe(false);
    expect(isOneMesh([status("a", ["b"]), status("b", ["a"], { meshId: "other" })])).toBe(false);
    expect(isOneMesh([status("a", [], { meshId: undefined })])).toBe(false);
    expect(isOneMesh([status("a", [], { state: "rejoining" })])).toBe(false);
  });
});
