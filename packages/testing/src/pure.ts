/** What tests of pure code need: generators, and replicas in memory. It loads neither network, nor disk, nor protocol. */
export { damagedBytes, isAccepted, withByteChanged } from "./arbitraries/byte-damage.ts";
export {
  arrivalsOf,
  forgettingHistories,
  type History,
  type HistoryOptions,
  histories,
  settle,
  showRecord,
} from "./arbitraries/histories.ts";
export { type HistoryContent, HistoryWriter, writeName } from "./arbitraries/history-writer.ts";
export {
  ids,
  keyTexts,
  replicaId,
  replicaIds,
  startId,
  startIds,
  timestamps,
  versions,
} from "./arbitraries/identifiers.ts";
export { adoptions, contexts, entries, recordFields, writeRecords } from "./arbitraries/records.ts";
export {
  branchTips,
  members,
  memberSets,
  positions,
  successions,
  versionVectors,
} from "./arbitraries/vectors.ts";
export { LoneReplica, type Scans } from "./lone-replica.ts";
export type { WiredEvent, WiredHost } from "./wired-host.ts";
export { type WiredMessage, WiredHosts } from "./wired-hosts.ts";
export { KnownRecords, type PullEnd, WatchChain, type WatchedHost } from "./watch/watch-chain.ts";
export { type FinalKey, type ToldEvent, WatchJournal, WatchViolation } from "./watch/watch-journal.ts";
