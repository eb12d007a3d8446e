/** The gRPC door: @grpc/grpc-js around services that were bound to plain functions. */
import { setMaxListeners } from "node:events";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import type { OperationObserver } from "../telemetry/operation-observer.ts";
import { ConnectionGate, type HostPort } from "./connection-gate.ts";
import { type GrpcLimits, grpcLimits } from "./grpc-limits.ts";
import type { GrpcLogger } from "./grpc-logger.ts";
import { requestInterceptor } from "./request-call.ts";
import type { ServiceBinding } from "./service-binding.ts";

/** What a gRPC server is made of. */
export interface ServeGrpcOptions {
  readonly address: HostPort;
  readonly services: readonly ServiceBinding[];
  readonly logger: GrpcLogger;
  readonly limits?: Partial<GrpcLimits>;
  /** Measures the calls of clients. */
  readonly observe?: OperationObserver;
}

/** A gRPC server that listens. */
export interface GrpcServer {
  /** With the port that was chosen, if the one asked for was 0. */
  readonly address: HostPort;
  /**
   * Stops: takes no more connections, ends streams, lets single calls finish, and cuts what is left after `timeoutMs`.
   * Resolves when every connection is closed; never rejects.
   */
  stop(timeoutMs: number): Promise<void>;
}

/** Serves gRPC without encryption. Throws ADDRESS_IN_USE, or INVALID_ARGUMENT for an address that is none of this machine's. */
export async function serveGrpc(options: ServeGrpcOptions): Promise<GrpcServer> {
  const { services, logger, observe } = options;
  const limits: GrpcLimits = { ...grpcLimits(), ...options.limits };
  const stopping = new AbortController();
  // Every stream listens.
  setMaxListeners(0, stopping.signal);
  const context = { logger, observe, stopping: stopping.signal };
  const server = new Server({
    "grpc.max_concurrent_streams": limits.streamsPerConnectionMax,
    "grpc.max_receive_message_length": limits.receiveBytesMax,
    "grpc.max_send_message_length": limits.sendBytesMax,
    "grpc-node.max_session_memory": limits.unreadMibMax,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": limits.idleMs,
    // Bookkeeping of every call that nothing reads.
    "grpc.enable_channelz": 0,
    interceptors: [requestInterceptor(new Map(services.flatMap((each) => each.answers?.(context) ?? [])))],
  });
  for (const binding of services) server.addService(binding.definition, binding.implementation(context));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const gate = new ConnectionGate(limits, logger, (socket) => injector.injectConnection(socket));
  const address = await gate.listen(options.address);

  const stop = async (timeoutMs: number): Promise<void> => {
    gate.close();
    stopping.abort(new MeshkvError("UNAVAILABLE", "this server is stopping: ask another one"));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve());
      }),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      }),
    ]);
    clearTimeout(timer);
    // Without channelz the library forgets its sessions here; the gate knows their sockets.
    server.forceShutdown();
    gate.cutAll();
  };
  let stopped: Promise<void> | undefined;
  return {
    address,
    stop(timeoutMs) {
      stopped ??= stop(timeoutMs);
      return stopped;
    },
  };
}
