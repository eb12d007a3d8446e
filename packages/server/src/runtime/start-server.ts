/** The composition root: puts the parts of a server together. */
import { createRequire } from "node:module";
import { type MeshkvError, PEERING_DEFAULTS } from "@meshkv/core";
import { pino } from "pino";
import { type Address, formatAddress, isWildcard } from "../config/address.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { dialPeer } from "../grpc/dial-peer.ts";
import { grpcLimits } from "../grpc/grpc-limits.ts";
import { type MeshkvServices, meshkvServices } from "../grpc/meshkv-services.ts";
import { serveGrpc } from "../grpc/serve-grpc.ts";
import type { MemberReport, StatusReport } from "../handlers/local-replica.ts";
import type { HttpHandlers } from "../http/handlers.ts";
import type { HttpServer } from "../http/serve-http.ts";
import { ServerMetrics } from "../telemetry/metrics.ts";
import type { EventLog } from "./event-log.ts";
import { openHttpDoor } from "./http-door.ts";
import { ReadinessWatch } from "./readiness.ts";
import { ServedReplica } from "./served-replica.ts";

/** A server that runs. */
export interface RunningServer {
  /** `host:port` on which clients and peers are served. */
  readonly address: string;
  /** `host:port` on which HTTP is served; undefined: nowhere. */
  readonly httpAddress: string | undefined;
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
  const version = packageVersion();
  const metrics: ServerMetrics = new ServerMetrics({
    replica: () => replica,
    version,
    census: () => replica.counts.entries(),
    cache: () => replica.counts.cache(),
    watchers: () => services.watch.watcherCount,
    httpConnections: () => http?.connections() ?? 0,
  });
  const replica: ServedReplica = new ServedReplica({
    location: config.data === undefined ? { memory: true } : { directory: config.data },
    meshName: config.mesh,
    serverVersion: version,
    dialPeer,
    log,
    meter: metrics,
    onServing: () => readiness.look(),
    onFatal: (error) => fail(error),
  });
  const services = meshkvServices({
    replica,
    valueBytesMax: config.valueBytesMax,
    defaultConcern: config.durability === "relaxed" ? { kind: "relaxed" } : { kind: "replicas", count: 1 },
    onPeerStream: (stream) => replica.accept(stream),
    table: replica.table,
    observe: metrics.observe,
  });
  const { health } = services;
  const readiness = new ReadinessWatch(
    () => replica.status(),
    (isReady) => health.set(isReady),
  );
  // The doors are open before the replica serves: the port that it got is part of what peers are told.
  const server = await serveGrpc({
    address: config.listen,
    limits: grpcLimits(config.valueBytesMax),
    logger: log,
    services: services.bindings,
    observe: metrics.observe,
  });
  let http: HttpServer | undefined;
  try {
    http = await openHttpDoor(config, {
      handlers: httpHandlers(services),
      version,
      log,
      observe: metrics.observe,
      readiness: () => readiness.current(),
      metrics: () => metrics.text(),
    });
    await replica.start({
      ...PEERING_DEFAULTS,
      address: config.advertise ?? advertised(server.address),
      clockDriftMsMax: config.maxClockDriftMs,
      memberTimeoutMs: config.memberTimeoutMs,
      conflictRetentionMs: config.conflictRetentionMs,
      logBudgetBytes: config.logBudgetBytes,
      historyMs: config.historyMs,
      historyBytes: config.historyBytes,
      peers: config.peers.map(formatAddress),
      rejoinPatienceMs: REJOIN_PATIENCE_MS,
    });
  } catch (error) {
    readiness.stop();
    await Promise.all([server.stop(0), http?.stop(0)]);
    throw error;
  }
  return {
    address: formatAddress(server.address),
    httpAddress: http === undefined ? undefined : formatAddress(http.address),
    get replicaId() {
      return replica.replicaId;
    },
    failed,
    status: () => replica.status(),
    members: () => replica.members(),
    async stop() {
      readiness.stop();
      await Promise.all([server.stop(STOP_CALLS_MS), http?.stop(STOP_CALLS_MS), replica.stop()]);
    },
  };
}

/** Both doors lead to the same handlers. */
function httpHandlers({ keyValue, mesh, watch, conflicts, verify }: MeshkvServices): HttpHandlers {
  return {
    get: (request, call) => keyValue.get(request, call),
    set: (request, call) => keyValue.set(request, call),
    delete: (request, call) => keyValue.delete(request, call),
    list: (request, call) => keyValue.list(request, call),
    batch: (request, call) => keyValue.batch(request, call),
    getMany: (request, call) => keyValue.getMany(request, call),
    watch: (request, call) => watch.watch(request, call),
    listConflicts: (request, call) => conflicts.list(request, call),
    restoreConflict: (request, call) => conflicts.restore(request, call),
    status: (request) => mesh.status(request),
    listMembers: (request) => mesh.listMembers(request),
    removeMember: (request, call) => mesh.removeMember(request, call),
    verify: verify && ((request, call) => verify.verify(request, call)),
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
