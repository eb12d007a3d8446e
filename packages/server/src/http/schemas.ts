/** The named models of the API. Those with an `$id` become components of the OpenAPI document. */
import { KEY_BYTES_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "@meshkv/core";
import * as Type from "typebox/type";
import { ENTRY_TYPE } from "./envelope.ts";

const closed = { additionalProperties: false } as const;

/** How bytes are written in JSON. */
export const ENCODING = Type.Enum(["utf8", "base64"], {
  description: "How the bytes are written: as text, or as base64 (with `+` and `/`). Without it: `utf8`.",
});

const KEY = Type.String({
  description: `The key, 1 to ${KEY_BYTES_MAX} bytes; in base64 where it is no text, see \`keyEncoding\`.`,
  examples: ["cart/42"],
});
const KEY_ENCODING = Type.Enum(["utf8", "base64"], {
  description: "How `key` is written; without it: `utf8`.",
});
const VERSION = Type.String({
  description: "The version of the write: 32 hex digits; the order of texts is the order of versions.",
  pattern: "^[0-9a-f]{32}$",
  examples: ["0000c8f2b1a400010f3a5c7e9b1d2f48"],
});
const REPLICA_ID = Type.String({
  description: "A replica's id, 16 hex digits.",
  examples: ["0f3a5c7e9b1d2f48"],
});
const TIME = { format: "date-time", examples: ["2026-01-31T12:00:00.000Z"] } as const;

const ENTRY_FIELDS = {
  key: KEY,
  keyEncoding: Type.Optional(KEY_ENCODING),
  value: Type.Optional(Type.String({ description: "The value; absent where only keys were asked for." })),
  encoding: Type.Optional(ENCODING),
  version: VERSION,
  origin: REPLICA_ID,
  updateTime: Type.Optional(
    Type.String({ ...TIME, description: "When it was written, by the writer's clock." }),
  ),
  expireTime: Type.Optional(Type.String({ ...TIME, description: "When it ends; absent: never." })),
  deleted: Type.Optional(Type.Boolean({ description: "True where the record is a delete." })),
  settled: Type.Optional(Type.Boolean({ description: "True where a later write has seen this loser." })),
  conflicts: Type.Optional(
    Type.Integer({ minimum: 0, description: "Losing concurrent writes that are kept for the key." }),
  ),
};

/** An entry. */
export const ENTRY = Type.Object(ENTRY_FIELDS, {
  $id: "Entry",
  description: `An entry with everything about it. Its media type is \`${ENTRY_TYPE}\`, in both directions.`,
});

/** An envelope as PUT takes it. */
export const ENTRY_INPUT = Type.Object(
  {
    value: Type.String({ description: "The value." }),
    encoding: Type.Optional(ENCODING),
    key: Type.Optional(Type.String({ description: "If it is there, it must be the key of the path." })),
    keyEncoding: Type.Optional(KEY_ENCODING),
    ...Object.fromEntries(
      (["version", "origin", "updateTime", "expireTime", "deleted", "settled", "conflicts"] as const).map(
        (name) => [name, Type.Optional(Type.Unknown({ description: "Passed over: the server sets it." }))],
      ),
    ),
  },
  {
    ...closed,
    $id: "EntryInput",
    description: "What a PUT of an envelope needs; what a GET has answered can be sent back as it is.",
  },
);

/** What a write answers. */
export const WRITE_RESULT = Type.Object(
  {
    version: VERSION,
    replicas: Type.Integer({
      minimum: 0,
      description: "Replicas known to hold the write durably; 0 with concern `relaxed`.",
    }),
  },
  { $id: "WriteResult", description: "A write that was acknowledged." },
);

/** What a delete answers. */
export const DELETE_RESULT = Type.Object(
  {
    deleted: Type.Integer({ minimum: 0, description: "Keys that existed on this replica." }),
    version: Type.Optional(VERSION),
    replicas: Type.Integer({ minimum: 0, description: "Replicas known to hold the deletes durably." }),
  },
  { $id: "DeleteResult", description: "A delete that was acknowledged." },
);

/** A page of a list. */
export const PAGE = Type.Object(
  {
    entries: Type.Array(ENTRY),
    cursor: Type.Optional(
      Type.String({ description: "Where the next page begins; valid on any replica. Absent: that was all." }),
    ),
  },
  { $id: "Page", description: "Entries in the order of their keys' bytes." },
);

/** One write of a batch. */
const BATCH_WRITE = Type.Object(
  {
    op: Type.Enum(["set", "delete"], { description: "What is done to the key." }),
    key: KEY,
    keyEncoding: Type.Optional(KEY_ENCODING),
    value: Type.Optional(Type.String({ description: "The value of a `set`." })),
    encoding: Type.Optional(ENCODING),
    ttl: Type.Optional(Type.String({ description: "How long it lives, 1s to 3650d.", examples: ["60s"] })),
    ifVersion: Type.Optional(Type.String({ description: "Only if this is the current version here." })),
    ifAbsent: Type.Optional(Type.Boolean({ description: "Only if there is no entry here." })),
    ifPresent: Type.Optional(Type.Boolean({ description: "Only if there is an entry here." })),
  },
  { ...closed, $id: "BatchWrite", description: "One write of a batch." },
);

/** A batch. */
export const BATCH = Type.Object(
  {
    writes: Type.Array(BATCH_WRITE, { description: "1 to 1,000 writes, no key twice, 4 MiB together." }),
  },
  { ...closed, $id: "Batch", description: "Writes that are one atomic commit of this replica." },
);

/** What a batch answers. */
export const BATCH_RESULT = Type.Object(
  {
    versions: Type.Array(VERSION, { description: "One for each write, in order." }),
    replicas: Type.Integer({ minimum: 0 }),
  },
  { $id: "BatchResult", description: "A batch that was acknowledged." },
);

/** Several keys to read. */
export const KEYS = Type.Object(
  {
    keys: Type.Array(Type.String(), { description: "1 to 1,000 keys.", examples: [["a", "b"]] }),
    keyEncoding: Type.Optional(KEY_ENCODING),
  },
  { ...closed, $id: "Keys", description: "Several keys, all written in one way." },
);

/** What a read of several keys answers. */
export const ENTRIES = Type.Object(
  {
    entries: Type.Array(Type.Union([ENTRY, Type.Null()]), {
      description: "One for each key, in order; null where there is none.",
    }),
  },
  { $id: "Entries", description: "Several entries at one position of this replica." },
);

/** A page of conflicts. */
export const CONFLICTS = Type.Object(
  {
    conflicts: Type.Array(Type.Object({ winner: Type.Optional(ENTRY), losers: Type.Array(ENTRY) })),
    cursor: Type.Optional(Type.String({ description: "Where the next page begins. Absent: that was all." })),
  },
  { $id: "Conflicts", description: "Keys with losing concurrent writes, in the order of their bytes." },
);

/** Which loser to write again. */
export const RESTORE = Type.Object(
  {
    key: KEY,
    keyEncoding: Type.Optional(KEY_ENCODING),
    version: Type.String({ description: "The loser's." }),
  },
  { ...closed, $id: "Restore", description: "The loser that is written again." },
);

/** One piece of what is wrong. */
const DETAIL = Type.Object(
  {
    loc: Type.Array(Type.Union([Type.String(), Type.Integer()]), { examples: [["query", "ttl"]] }),
    msg: Type.String({ examples: ['ttl: "1w" is not a duration'] }),
    type: Type.String({ examples: ["value_error"] }),
  },
  { $id: "Detail", description: "One thing that is wrong with a request: where, what, and of what kind." },
);

/** An error. */
export const PROBLEM = Type.Object(
  {
    type: Type.String({ examples: ["about:blank"] }),
    title: Type.String({ description: "The text of the status." }),
    status: Type.Integer(),
    detail: Type.String({ description: "For people: what was wrong, and what to do." }),
    code: Type.String({ description: "For programs: test this, never the texts." }),
    errors: Type.Optional(Type.Array(DETAIL)),
    version: Type.Optional(
      Type.String({ description: "CONDITION_FAILED: the current version. CONCERN_NOT_MET: the write's." }),
    ),
  },
  {
    $id: "Problem",
    description: "An error (RFC 9457). Further members carry facts that belong to the code.",
  },
);

const MEMBER = Type.Object(
  {
    replicaId: REPLICA_ID,
    address: Type.String({ description: "host:port for gRPC; empty when it told none." }),
    state: Type.Enum(["self", "connected", "unreachable", "joining", "removed"]),
    lagMs: Type.Optional(
      Type.Integer({ description: "Age of the oldest write of this replica that it lacks." }),
    ),
    lagRecords: Type.Optional(Type.Integer({ description: "Writes of this replica that it lacks." })),
    lastSeen: Type.Optional(Type.String(TIME)),
    holdsHorizon: Type.Boolean({ description: "Forgetting waits for this member." }),
    clockOffsetMs: Type.Optional(Type.Integer({ description: "Its clock minus this one's." })),
    successor: Type.Optional(REPLICA_ID),
  },
  { $id: "Member", description: "A replica of the mesh, as this one sees it." },
);

/** The members. */
export const MEMBERS = Type.Object(
  { members: Type.Array(MEMBER, { description: "This replica first, removed ones last." }) },
  { $id: "Members", description: "Who is in the mesh." },
);

/** What a replica knows of itself. */
export const MESH_STATUS = Type.Object(
  {
    replicaId: REPLICA_ID,
    meshName: Type.String(),
    meshId: Type.String(),
    state: Type.Enum([
      "starting",
      "ready",
      "rejoining",
      "storage-full",
      "storage-failed",
      "clock-skew",
      "stopping",
    ]),
    stateReason: Type.String({ description: "For people: why it is not ready." }),
    serverVersion: Type.String(),
    uptimeMs: Type.Integer(),
    keys: Type.Integer({ description: "An estimate." }),
    storageBytes: Type.Integer(),
    digest: Type.String({ description: "Equal on replicas that hold the same entries." }),
    clockOffsetMs: Type.Integer({ description: "This clock minus the median of the peers'." }),
    horizonTime: Type.Optional(Type.String({ ...TIME, description: "What is older, every member has." })),
    horizonHeldBy: Type.Optional(REPLICA_ID),
    vector: Type.Array(
      Type.Object({ origin: REPLICA_ID, version: Type.String(), time: Type.Optional(Type.String(TIME)) }),
      { description: "How much this replica has of every origin's writes." },
    ),
    members: Type.Array(MEMBER),
  },
  { $id: "Status", description: "One replica and its view of the mesh." },
);

/** A member that was removed. */
export const REMOVED = Type.Object(
  { removed: REPLICA_ID },
  { $id: "Removed", description: "The member that was removed." },
);

/** Whom to compare with. */
export const VERIFY = Type.Object(
  { peer: Type.Optional(Type.String({ description: "Address or replica id; without it: every member." })) },
  { ...closed, $id: "Verify", description: "Which members to compare with." },
);

const DIGEST = Type.String({ description: "32 hex digits." });

/** What a verification has found. */
export const VERIFICATION = Type.Object(
  {
    checks: Type.Array(
      Type.Object({
        replicaId: REPLICA_ID,
        address: Type.String(),
        keys: Type.Integer({ description: "Keys that were read and hold a value." }),
        damagedRows: Type.Integer({ description: "Rows that are not what was written." }),
        digest: Type.String({ description: "As it is kept up with every write." }),
        computedDigest: Type.String({ description: "As the table gives it; it should be equal." }),
      }),
      { description: "Every replica's table against itself; this replica first." },
    ),
    members: Type.Array(
      Type.Object({
        replicaId: REPLICA_ID,
        address: Type.String(),
        outcome: Type.Enum(["equal", "different", "unreachable", "not-settled", "not-comparable"]),
        comparedKeys: Type.Integer(),
        differingKeys: Type.Integer(),
        unsettledKeys: Type.Integer({ description: "Writes were still on their way: nothing can be said." }),
        digest: DIGEST,
        peerDigest: DIGEST,
        durationMs: Type.Integer(),
        reason: Type.String({ description: "For people: why it could not be compared." }),
        differences: Type.Array(
          Type.Object({
            key: KEY,
            keyEncoding: Type.Optional(KEY_ENCODING),
            version: Type.Union([Type.String(), Type.Null()], { description: "Here; null: no entry." }),
            peerVersion: Type.Union([Type.String(), Type.Null()], { description: "There; null: no entry." }),
            checksum: Type.Integer({ description: "Of the record: equal versions may differ in it." }),
            peerChecksum: Type.Integer(),
          }),
          { description: "The first 1,000." },
        ),
      }),
    ),
  },
  { $id: "Verification", description: "Whether the members hold the same, and where they do not." },
);

/** Whether a replica can be used. */
export const READINESS = Type.Object(
  {
    ready: Type.Boolean(),
    state: Type.String({ description: "As in the status." }),
    reason: Type.String({ description: "For people; empty when it is ready." }),
  },
  { $id: "Readiness", description: "Whether this replica takes reads and writes." },
);

/** The parameters that several routes share. */
export const PARAMETERS = {
  concern: Type.String({
    description:
      "How far the write must have gone before it is acknowledged: `relaxed`, `local`, `all`, or a number of replicas, this one included.",
    pattern: "^(relaxed|local|all|[0-9]{1,4})$",
    examples: ["local"],
  }),
  timeout: Type.String({
    description:
      "How long the caller waits, 1ms to 1h; the answer comes a little before. Without it, waiting for others ends after 5 s.",
    examples: ["2s"],
  }),
  ttl: Type.String({
    description:
      "How long the entry lives, 1s to 3650d. Without it: for ever, also if it had a deadline before.",
    examples: ["1h"],
  }),
  prefix: Type.String({ description: "Only keys that begin so.", examples: ["cart/"] }),
  limit: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    description: `Entries of a page; ${PAGE_SIZE_DEFAULT} without it, ${PAGE_SIZE_MAX} at most.`,
    examples: [10],
  }),
  cursor: Type.String({ description: "From the page before." }),
} as const;

/** The headers that several routes take. */
export const HEADERS = {
  session: Type.String({
    description:
      "What the caller has seen, from an earlier answer of any replica: the answer is at least as new. It comes back in the answer, grown.",
  }),
  requestId: Type.String({
    description:
      "1 to 64 bytes. A repetition within 10 minutes to the same replica answers as the first did, and writes nothing.",
    examples: ["5f0c6d1e-order-42"],
  }),
  ifMatch: Type.String({
    description: "An entity tag: only if this is the current version here. `*`: only if there is an entry.",
  }),
  ifNoneMatch: Type.String({ description: "`*`: only if there is no entry here." }),
} as const;

/** The components of the document. */
export const COMPONENTS = [
  ENTRY,
  ENTRY_INPUT,
  WRITE_RESULT,
  DELETE_RESULT,
  PAGE,
  BATCH_WRITE,
  BATCH,
  BATCH_RESULT,
  KEYS,
  ENTRIES,
  CONFLICTS,
  RESTORE,
  DETAIL,
  PROBLEM,
  MEMBER,
  MEMBERS,
  MESH_STATUS,
  REMOVED,
  VERIFY,
  VERIFICATION,
  READINESS,
] as const;
