/** The pure core of meshkv: no I/O, no clock, no randomness of its own, no dependency. */
export { ByteReader, ByteWriter, FormatError, putId, putU32, putU64 } from "./bytes.ts";
export {
  ChangeSet,
  type EntryChange,
  type LogCut,
  type RequestRow,
  type SettledConflict,
  type StateSection,
} from "./change-set.ts";
export { type Context, EMPTY_CONTEXT } from "./context.ts";
export { crc32c } from "./crc32c.ts";
export { Digest, DIGEST_BUCKETS, digestBucket } from "./digest.ts";
export {
  conflictsOf,
  decodeEntry,
  decodeKeptEntry,
  encodeEntry,
  type Entry,
  entryBytes,
  hasSameContent,
  isLive,
  putEntry,
} from "./entry.ts";
export { ERROR_CODES, type ErrorCode, MeshkvError } from "./error-code.ts";
export { Host, type HostConfig, type HostEnvironment } from "./host/host.ts";
export type { HostAction } from "./host/host-action.ts";
export type { Slot } from "./host/slot.ts";
export { HybridClock } from "./hybrid-clock.ts";
export {
  idFromWords,
  type KeyText,
  keyTextFromBytes,
  keyTextToBytes,
  keyTextWithin,
  parseReplicaId,
  putKeyText,
  type ReplicaId,
  type StartId,
  UNKNOWN_START,
} from "./ids.ts";
export { invariant, InvariantError } from "./invariant.ts";
export {
  BATCH_BYTES_MAX,
  BATCH_WRITES_MAX,
  CLOCK_DRIFT_MS_MAX,
  CLOCK_MARK_AHEAD_MS,
  FRAME_BYTES_TARGET,
  GET_MANY_KEYS_MAX,
  KEY_BYTES_MAX,
  PAGE_BYTES_MAX,
  PAGE_SIZE_DEFAULT,
  PAGE_SIZE_MAX,
  PEER_MESSAGE_BYTES_MAX,
  PIPELINE_BYTES_MAX,
  PIPELINE_OPERATIONS_MAX,
  PIPELINE_REPLY_BYTES,
  PREFIX_DELETE_BATCH,
  REQUEST_ID_LENGTH_MAX,
  REQUEST_ID_MS,
  REQUEST_IDS_MAX,
  SESSION_ORIGINS_MAX,
  TTL_MS_MAX,
  TTL_MS_MIN,
  VALUE_BYTES_CEILING,
  VALUE_BYTES_MAX,
  WATCH_EVENTS_MAX,
  WATCH_IDLE_MS,
  WATCH_RESPONSE_BYTES,
  WATCHERS_MAX,
} from "./limits.ts";
export { type Member, MemberSet, readMembers, type Succession, writeMembers } from "./member-set.ts";
export { contextOf, covers, mergeRecord } from "./merge.ts";
export {
  commonTimestamp,
  isForked,
  type Position,
  positionAt,
  positionOf,
  ZERO_POSITION,
} from "./position.ts";
export {
  type Adoption,
  compareRecords,
  decodeRecord,
  isExpired,
  isSameWrite,
  makeRecord,
  originalTimestamp,
  rankOf,
  type RecordFields,
  type WriteRecord,
} from "./record.ts";
export { heldLevel, holdingMembers } from "./replica/held-level.ts";
export { computeFloor, computeHorizon, type HorizonBound, type MemberKnowledge } from "./replica/horizon.ts";
export { Replica } from "./replica/replica.ts";
export { settlingChecksum } from "./replica/settling.ts";
export type { Write } from "./replica/write.ts";
export {
  compareMeshes,
  decodeState,
  emptyProgress,
  foundingState,
  type Identity,
  type MeshId,
  type Progress,
  type ReplicaState,
  type Start,
} from "./replica/state.ts";
export { decodeMessage, encodeMessage, ProtocolError } from "./session/codec.ts";
export { strayOrigin } from "./session/branches.ts";
export { isCovered } from "./session/coverage.ts";
export { judge, type Verdict } from "./session/handshake.ts";
export type { JoinPhase } from "./session/joiner.ts";
export type { Frame, Hello, PeerMessage, PeerState } from "./session/messages.ts";
export type { Action, LinkId } from "./session/outbox.ts";
export { Peering } from "./session/peering.ts";
export { PEERING_DEFAULTS, type PeeringConfig } from "./session/peering-config.ts";
export type { LinkInfo, Session, SessionMode } from "./session/session.ts";
export {
  type ReplicaStanding,
  SESSION_TOKEN_BYTES_MAX,
  SESSION_TOKEN_BYTES_OF_ONE,
  SessionToken,
  type SessionTokenResult,
  writeTokenOfOne,
} from "./session-token.ts";
export { mergeSessionTokens } from "./session-token-merge.ts";
export type { ExpiryRow, ScanRequest, ScanResult, Table } from "./table.ts";
export {
  EPOCH_MS,
  TICKS_PER_MS,
  type Timestamp,
  TIMESTAMP_MAX,
  timestampFromMs,
  timestampToMs,
} from "./timestamp.ts";
export {
  describeHeld,
  differingKeys,
  type HeldEntry,
  isCompared,
  isReplaced,
  judgeKey,
  type KeyLook,
  type KeyVerdict,
} from "./verify/compare-tables.ts";
export { TableCheck } from "./verify/table-check.ts";
export { RangeSum } from "./verify/range-sum.ts";
export { compareVersions, formatVersion, parseVersion, type Version } from "./version.ts";
export { readVector, VersionVector, writeVector } from "./version-vector.ts";
export { isWatched, type MergeStep, type WatchEvent, type WatchTarget } from "./watch/watch-event.ts";
export type { WatchCursor, WatchTurn } from "./watch/watch-cursor.ts";
export { WatchHub, type WatchedSlot, type WatchRequest } from "./watch/watch-hub.ts";
export type { WatchPosition } from "./watch/watch-position.ts";
export {
  decodeWatchToken,
  encodeWatchToken,
  type SnapshotProgress,
  WATCH_TOKEN_BYTES_MAX,
  type WatchResume,
  type WatchTokenResult,
} from "./watch/watch-token.ts";
