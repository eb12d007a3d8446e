/** Handlers that answer or fail as a test says: for what a real replica does only when its disk or clock is broken. */
import { type MeshkvError, parseVersion } from "@meshkv/core";
import { Member_State, StatusResponse_State, WatchEvent_Type } from "@meshkv/protocol";
import type { HttpHandlers } from "../../src/http/handlers.ts";

const VERSION = "00015431dc7ed00086b60d46a4e3323c";
const ID = "86b60d46a4e3323c";
const KEY = new TextEncoder().encode("k");
const ENTRY = { key: KEY, value: KEY, version: VERSION, origin: ID, conflictCount: 1 };

/** What the handlers do next. */
export interface Script {
  /** Thrown by every handler. */
  failure?: MeshkvError | undefined;
  isAbsent?: boolean;
  isCreated?: boolean;
}

/** Handlers that follow a script. */
export function stubHandlers(script: Script): HttpHandlers {
  if (parseVersion(VERSION) === undefined) throw new Error("the version is none");
  const answer = <Reply>(reply: () => Reply): Reply => {
    if (script.failure !== undefined) throw script.failure;
    return reply();
  };
  const member = {
    replicaId: ID,
    address: "127.0.0.1:4000",
    state: Member_State.SELF,
    lagMs: 0n,
    lagRecords: 0n,
  };
  return {
    get: async () =>
      answer(() => (script.isAbsent === true ? {} : { entry: ENTRY, conflicts: [ENTRY], session: "s" })),
    set: async () =>
      answer(() => ({ version: VERSION, replicas: 1, created: script.isCreated === true, session: "s" })),
    delete: async () => answer(() => ({ deleted: 1n, version: VERSION, replicas: 1, session: "s" })),
    list: async () => answer(() => ({ entries: [ENTRY], nextPageToken: "t", session: "s" })),
    batch: async () => answer(() => ({ versions: [VERSION], replicas: 1, session: "s" })),
    getMany: async () => answer(() => ({ responses: [{ entry: ENTRY }, {}], session: "s" })),
    async *watch() {
      yield answer(() => ({
        events: [{ type: WatchEvent_Type.PUT, entry: ENTRY, previous: ENTRY, origin: ID }],
        resume: "r",
      }));
    },
    listConflicts: async () =>
      answer(() => ({ conflicts: [{ winner: ENTRY, losers: [ENTRY] }], nextPageToken: "t" })),
    restoreConflict: async () => answer(() => ({ version: VERSION, replicas: 1, session: "s" })),
    status: async () =>
      answer(() => ({
        replicaId: ID,
        state: StatusResponse_State.READY,
        vector: [{ origin: ID, version: VERSION }],
        members: [member],
      })),
    listMembers: async () => answer(() => ({ members: [member] })),
    removeMember: async () => answer(() => ({})),
    async *verify() {
      yield answer(() => ({ replicaId: ID, kind: { case: "difference" as const, value: { key: KEY } } }));
      yield { replicaId: ID, kind: { case: "result" as const, value: { outcome: 2, differingKeys: 1n } } };
    },
  };
}
