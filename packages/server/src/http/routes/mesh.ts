/** The mesh: this replica, the members, removing one, comparing with them. */
import {
  create,
  durationMs,
  ListMembersRequestSchema,
  ListMembersResponseSchema,
  type Member,
  Member_State,
  RemoveMemberRequestSchema,
  StatusRequestSchema,
  type StatusResponse,
  StatusResponse_State,
  StatusResponseSchema,
} from "@meshkv/protocol";
import * as Type from "typebox/type";
import { timeJson } from "../envelope.ts";
import type { HttpHandlers } from "../handlers.ts";
import { COMMON_ERRORS } from "../parameters.ts";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { MEMBERS, MESH_STATUS, REMOVED } from "../schemas.ts";

const STATES: Readonly<Record<StatusResponse_State, string>> = {
  [StatusResponse_State.UNSPECIFIED]: "starting",
  [StatusResponse_State.STARTING]: "starting",
  [StatusResponse_State.READY]: "ready",
  [StatusResponse_State.REJOINING]: "rejoining",
  [StatusResponse_State.STORAGE_FULL]: "storage-full",
  [StatusResponse_State.STORAGE_FAILED]: "storage-failed",
  [StatusResponse_State.CLOCK_SKEW]: "clock-skew",
  [StatusResponse_State.STOPPING]: "stopping",
};

const MEMBER_STATES: Readonly<Record<Member_State, string>> = {
  [Member_State.UNSPECIFIED]: "unreachable",
  [Member_State.SELF]: "self",
  [Member_State.CONNECTED]: "connected",
  [Member_State.UNREACHABLE]: "unreachable",
  [Member_State.JOINING]: "joining",
  [Member_State.REMOVED]: "removed",
};

const MEMBER_EXAMPLE = {
  replicaId: "0f3a5c7e9b1d2f48",
  address: "127.0.0.1:4000",
  state: "self",
  lagMs: 0,
  lagRecords: 0,
  holdsHorizon: false,
};

/** The routes of the mesh. */
export function meshRoutes(handlers: HttpHandlers): Route[] {
  return [statusRoute(handlers), membersRoute(handlers), removeRoute(handlers)];
}

function statusRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/mesh",
    id: "getStatus",
    tag: "Mesh",
    operation: "status",
    summary: "How this replica is",
    replies: {
      200: {
        description: "This replica, and the mesh as it sees it.",
        contents: {
          "application/json": {
            schema: MESH_STATUS,
            examples: {
              alone: {
                replicaId: "0f3a5c7e9b1d2f48",
                meshName: "default",
                meshId: "c8f2b1a40000-0f3a5c7e9b1d2f48",
                state: "ready",
                stateReason: "",
                serverVersion: "0.1.0",
                uptimeMs: 12_345,
                keys: 42,
                storageBytes: 65_536,
                digest: "00000000000000000000000000000000",
                clockOffsetMs: 0,
                vector: [],
                members: [MEMBER_EXAMPLE],
              },
            },
          },
        },
      },
    },
    errors: COMMON_ERRORS,
    async answer(_input, call): Promise<Answer> {
      const reply = await handlers.status(create(StatusRequestSchema), call);
      return { status: 200, body: statusJson(create(StatusResponseSchema, reply)) };
    },
  });
}

function membersRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "GET",
    path: "/v1/mesh/members",
    id: "listMembers",
    tag: "Mesh",
    operation: "list-members",
    summary: "Who is in the mesh",
    replies: {
      200: {
        description: "Every replica that is a member or was.",
        contents: {
          "application/json": { schema: MEMBERS, examples: { alone: { members: [MEMBER_EXAMPLE] } } },
        },
      },
    },
    errors: COMMON_ERRORS,
    async answer(_input, call): Promise<Answer> {
      const reply = await handlers.listMembers(create(ListMembersRequestSchema), call);
      const { members } = create(ListMembersResponseSchema, reply);
      return { status: 200, body: { members: members.map(memberJson) } };
    },
  });
}

function removeRoute(handlers: HttpHandlers): Route {
  return defineRoute({
    method: "DELETE",
    path: "/v1/mesh/members/{id}",
    id: "removeMember",
    tag: "Mesh",
    operation: "remove-member",
    summary: "Take a replica out for good",
    description: "Its writes that another member has stay. It can come back under a new id.",
    parameters: Type.Object({
      id: Type.String({ description: "The replica's id, 16 hex digits.", examples: ["0f3a5c7e9b1d2f48"] }),
    }),
    query: Type.Object(
      {
        force: Type.Optional(
          Type.Boolean({
            description: "Also when a member could not be asked for the leaving replica's writes.",
          }),
        ),
      },
      { additionalProperties: false },
    ),
    replies: {
      200: {
        description: "Removed.",
        contents: {
          "application/json": { schema: REMOVED, examples: { removed: { removed: "0f3a5c7e9b1d2f48" } } },
        },
      },
    },
    errors: [
      ...COMMON_ERRORS,
      "MEMBER_NOT_FOUND",
      "FORCE_REQUIRED",
      "STORAGE_FULL",
      "STORAGE_FAILED",
      "CLOCK_SKEW",
    ],
    async answer({ path, query }, call): Promise<Answer> {
      const request = create(RemoveMemberRequestSchema, {
        replicaId: path["id"] ?? "",
        force: query.force ?? false,
      });
      await handlers.removeMember(request, call);
      return { status: 200, body: { removed: request.replicaId } };
    },
  });
}

function statusJson(status: StatusResponse): object {
  return {
    replicaId: status.replicaId,
    meshName: status.meshName,
    meshId: status.meshId,
    state: STATES[status.state],
    stateReason: status.stateReason,
    serverVersion: status.serverVersion,
    uptimeMs: status.uptime === undefined ? 0 : durationMs(status.uptime),
    keys: Number(status.keys),
    storageBytes: Number(status.storageBytes),
    digest: status.digest,
    clockOffsetMs: Number(status.clockOffsetMs),
    horizonTime: timeJson(status.horizonTime),
    horizonHeldBy: status.horizonHeldBy === "" ? undefined : status.horizonHeldBy,
    vector: status.vector.map(({ origin, version, time }) => ({ origin, version, time: timeJson(time) })),
    members: status.members.map(memberJson),
  };
}

function memberJson(member: Member): object {
  return {
    replicaId: member.replicaId,
    address: member.address,
    state: MEMBER_STATES[member.state],
    lagMs: numberOf(member.lagMs),
    lagRecords: numberOf(member.lagRecords),
    lastSeen: timeJson(member.lastSeen),
    holdsHorizon: member.holdsHorizon,
    clockOffsetMs: numberOf(member.clockOffsetMs),
    successor: member.successor === "" ? undefined : member.successor,
  };
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
