import {
  create,
  MemberSchema,
  RemoveMemberRequestSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import { MeshHandlers } from "./mesh-handlers.ts";

const CALL = { signal: new AbortController().signal, deadlineMs: undefined };
const OTHER = "00000000000000bb";

describe("the mesh's handlers", () => {
  it("show the replica and its members, itself first", () => {
    const replica = new FakeReplica();
    const handlers = new MeshHandlers(replica);
    const status = create(StatusResponseSchema, handlers.status(create(StatusRequestSchema)));
    expect(status).toMatchObject({
      replicaId: replica.replicaId,
      meshName: "default",
      state: 2,
      clockOffsetMs: -3n,
      horizonHeldBy: OTHER,
      uptime: { seconds: 1n, nanos: 500_000_000 },
      vector: [{ origin: replica.replicaId, version: expect.stringMatching(/^[0-9a-f]{32}$/) }],
    });
    expect(status.horizonTime).toBeUndefined();
    expect(status.members.map(({ replicaId, state, lagMs }) => [replicaId, state, lagMs])).toEqual([
      [replica.replicaId, 1, 0n],
      [OTHER, 2, 0n],
    ]);
  });

  it("leave out what is not known of a member", () => {
    const unknown = {
      lagMs: undefined,
      lagRecords: undefined,
      lastSeenMs: undefined,
      clockOffsetMs: undefined,
    };
    const replica = Object.assign(new FakeReplica(), {
      members: () => [{ ...new FakeReplica().members()[0], ...unknown }],
    });
    const [init] =
      new MeshHandlers(replica).listMembers({ $typeName: "meshkv.v1.ListMembersRequest" }).members ?? [];
    const member = create(MemberSchema, init);
    expect([member.lagMs, member.lagRecords, member.lastSeen, member.clockOffsetMs]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("remove members", async () => {
    const replica = new FakeReplica();
    const handlers = new MeshHandlers(replica);
    const remove = (replicaId: string, force: boolean): Promise<unknown> =>
      handlers.removeMember(create(RemoveMemberRequestSchema, { replicaId, force }), CALL);
    await expect(remove("x", false)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(remove("00000000000000cc", false)).rejects.toMatchObject({ code: "MEMBER_NOT_FOUND" });
    await expect(remove(OTHER, false)).rejects.toMatchObject({ code: "FORCE_REQUIRED" });
    expect(await remove(OTHER, true)).toEqual({});
    expect(replica.removed).toEqual({ id: OTHER, force: true });
  });
});
