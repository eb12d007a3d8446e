export { builtCli } from "./built-cli.ts";
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
export { members, memberSets, positions, successions, versionVectors } from "./arbitraries/vectors.ts";
export { FaultProxy, type Direction } from "./fault-proxy.ts";
export {
  awaitGrowth,
  copyData,
  cutPower,
  engineFiles,
  flipBit,
  type LogMark,
  newestLog,
} from "./processes/data-files.ts";
export { eventually } from "./processes/eventually.ts";
export { freePorts } from "./processes/free-ports.ts";
export { Ledger } from "./processes/ledger.ts";
export { MeshClient } from "./processes/mesh-client.ts";
export type { BinaryRun } from "./processes/meshkv-binary.ts";
export type { Network } from "./processes/network.ts";
export { offsetClock } from "./processes/offset-clock.ts";
export { sameDigest, sameEverywhere } from "./processes/same-everywhere.ts";
export type { ServerProcess, ServerSpec, StartOptions } from "./processes/server-process.ts";
export {
  type MeshOptions,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest,
  type TestMesh,
} from "./processes/stage.ts";
export { engineContract, type EngineUnderTest } from "./engine-contract.ts";
export { LoneReplica, type Scans } from "./lone-replica.ts";
export type { WiredEvent, WiredHost } from "./wired-host.ts";
export { type WiredMessage, WiredHosts } from "./wired-hosts.ts";
export { mountSmallDisk, whyNoSmallDisk } from "./processes/small-disk.ts";
