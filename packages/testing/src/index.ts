export { builtCli } from "./built-cli.ts";
export { FaultProxy, type Direction } from "./fault-proxy.ts";
export {
  copyData,
  cutPower,
  engineFiles,
  flipBit,
  grown,
  type LogMark,
  newestLog,
} from "./processes/data-files.ts";
export { alwaysSession, type KnownDelete, type SessionStep } from "./checkers/always-session.ts";
export { eventually } from "./processes/eventually.ts";
export { freePorts, ownNumber } from "./processes/free-ports.ts";
export { Ledger } from "./processes/ledger.ts";
export { MeshClient } from "./processes/mesh-client.ts";
export { type BinaryRun, spawnMeshkv } from "./processes/meshkv-binary.ts";
export type { Network } from "./processes/network.ts";
export { offsetClock } from "./processes/offset-clock.ts";
export { sameDigest, sameEverywhere } from "./processes/same-everywhere.ts";
export type { ServerProcess, ServerSpec, StartOptions } from "./processes/server-process.ts";
export {
  type MeshOptions,
  Stage,
  STAGE_TEST_MS_MAX,
  stageTest,
  type TestMesh,
} from "./processes/stage.ts";
export { engineContract, type EngineUnderTest } from "./engine-contract.ts";
export { mountSmallDisk, whyNoSmallDisk } from "./processes/small-disk.ts";
export { RemoteWatch, WatchClient, type WatchInit } from "./watch/remote-watch.ts";
export { type FinalKey, WatchViolation } from "./watch/watch-journal.ts";
