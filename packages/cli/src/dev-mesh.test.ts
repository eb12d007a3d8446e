import {
  create,
  Member_State,
  type StatusResponse,
  StatusResponse_State,
  StatusResponseSchema,
} from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { isOneMesh } from "./dev-mesh.ts";

function status(
  replicaId: string,
  connected: readonly string[],
  fields: Partial<StatusResponse> = {},
): StatusResponse {
  const members = [
    { replicaId, state: Member_State.SELF },
    ...connected.map((id) => ({ replicaId: id, state: Member_State.CONNECTED })),
  ];
  const found = create(StatusResponseSchema, {
    replicaId,
    meshId: "m",
    state: StatusResponse_State.READY,
    members,
  });
  return Object.assign(found, fields);
}

describe("isOneMesh", () => {
  it("takes replicas that are all connected to each other", () => {
    expect(isOneMesh([status("a", [])])).toBe(true);
    expect(isOneMesh([status("a", ["b", "c"]), status("b", ["a", "c"]), status("c", ["a", "b"])])).toBe(true);
  });

  it("does not mind members that are not among them", () => {
    const gone = { ...status("x", []).members[0], state: Member_State.UNREACHABLE };
    const a = status("a", ["b"]);
    expect(isOneMesh([Object.assign(a, { members: [...a.members, gone] }), status("b", ["a"])])).toBe(true);
  });

  it("refuses everything less", () => {
    expect(isOneMesh([])).toBe(false);
    expect(isOneMesh([status("a", []), undefined])).toBe(false);
    expect(isOneMesh([status("a", ["b"]), status("b", [])])).toBe(false);
    expect(isOneMesh([status("a", ["b"]), status("b", ["a"], { meshId: "other" })])).toBe(false);
    expect(isOneMesh([status("a", [], { meshId: "" })])).toBe(false);
    expect(isOneMesh([status("a", [], { state: StatusResponse_State.REJOINING })])).toBe(false);
  });
});
