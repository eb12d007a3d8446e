/** The composition root: puts the parts of a server together. */
import { createRequire } from "node:module";
import { type MeshkvError, PEERING_DEFAULTS } from "@meshkv/core";
import { pino } from "pino";
import { type Address, formatAddress, isWildcard } from "../config/address.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { dialPeer } from "../grpc/dial-peer.ts";
import { grpcLimits } from "../grpc/grpc-limits.ts";
import { meshkvServices } from "../grpc/meshkv-services.ts";
import { serveGrpc } from "../grpc/serve-grpc.ts";
import type { MemberReport, StatusReport } from "../handlers/local-replica.ts";
import type { EventLog } from "./event-log.ts";
import { ServedReplica } from "./served-replica.ts";

/** A server that runs. */
export interface RunningServer {
  /** `host:port` on which clients and peers are served. */
  readonly address: string;
  /** The id under which it serves now: a rejoin changes it. */
  readonly replicaId: string;
  /** Resolves when the server cannot go on, because the program is wrong; a failing disk is waited for instead. */
  readonly failed: Promise<MeshkvError>;
  status(): StatusReport;
  members(): readonly MemberReport[];
  /** Ends streams, flushes and closes; resolves within 10 s. */
  stop(): Promise<void>;
}

const STOP_CALLS_MS = 3000;
/** A source that is not heard for so long is given up. */
const REJOIN_PATIENCE_MS = 30_000;

/**
 * Starts a server.
 * @throws MeshkvError ADDRESS_IN_USE, DIRECTORY_LOCKED, UNSUPPORTED_FORMAT, STORAGE_FULL, STORAGE_FAILED, WRONG_MESH
 */
export async function startServer(
  config: ServerConfig,
  log: EventLog = makeLog(config.verbose),
): Promise<RunningServer> {
  let fail: (error: MeshkvError) => void = () => {};
  const failed = new Promise<MeshkvError>((resolve) => {
    fail = resolve;
  });
  const replica = new ServedReplica({
    location: config.data === undefined ? { memory: true } : { directory: config.data },
    meshName: config.mesh,
    serverVersion: packageVersion(),
    dialPeer,
    log,
    onServing: (isServing) => health.set(isServing),
    onFatal: (error) => fail(error),
  });
  const { bindings, health } = meshkvServices({
    replica,
    valueBytesMax: config.valueBytesMax,
    defaultConcern: config.durability === "relaxed" ? { kind: "relaxed" } : { kind: "replicas", count: 1 },
    onPeerStream: (stream) => replica.accept(stream),
  });
  // The door is open before the replica serves: the port that it got is part of what peers are told.
  const server = await serveGrpc({
    address: config.listen,
    limits: grpcLimits(config.valueBytesMax),
    logger: log,
    services: bindings,
  });
  try {
    await replica.start({
      ...PEERING_DEFAULTS,
      address: config.advertise ?? advertised(server.address),
      clockDriftMsMax: config.maxClockDriftMs,
      memberTimeoutMs: config.memberTimeoutMs,
      conflictRetentionMs: config.conflictRetentionMs,
      logBudgetBytes: config.logBudgetBytes,
      peers: config.peers.map(formatAddress),
      rejoinPatienceMs: REJOIN_PATIENCE_MS,
    });
  } catch (error) {
    await server.stop(0);
    throw error;
  }
  return {
    address: formatAddress(server.address),
    get replicaId() {
      return replica.replicaId;
    },
    failed,
    status: () => replica.status(),
    members: () => replica.members(),
    async stop() {
      health.set(false);
      await Promise.all([server.stop(STOP_CALLS_MS), replica.stop()]);
    },
  };
}

/** Others cannot dial "every address": then they learn none, and this server dials them. */
function advertised(address: Address): string {
  return isWildcard(address.host) ? "" : formatAddress(address);
}

function makeLog(verbose: boolean): EventLog {
  return pino({ level: verbose ? "debug" : "warn", base: null }, pino.destination({ dest: 2, sync: false }));
}

function packageVersion(): string {
  const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
  return version;
}
