/**
 * The listening socket of the gRPC door. @grpc/grpc-js would listen by itself, but then connections could not be
 * counted or timed, and an address in use would be told only in a text.
 */
import { createServer, type Server, type Socket } from "node:net";
import { MeshkvError } from "@meshkv/core";
import type { GrpcLimits } from "./grpc-limits.ts";
import type { GrpcLogger } from "./grpc-logger.ts";

/** A host and a port to listen on or to dial. */
export interface HostPort {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 for any free one, where a server listens. */
  readonly port: number;
}

/** HTTP/2's preface and an empty SETTINGS frame: no client says less. */
const HELLO_BYTES = 24 + 9;
/** Refused connections are logged at most this often. */
const REFUSAL_LOG_MS = 10_000;

/** Accepts connections, within limits, and hands them on. */
export class ConnectionGate {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #refused = 0;
  #refusalLoggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: GrpcLimits, logger: GrpcLogger, accept: (socket: Socket) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      const hello = setTimeout(() => {
        if (socket.bytesRead < HELLO_BYTES) socket.destroy();
      }, limits.helloMs);
      hello.unref();
      socket.once("close", () => {
        clearTimeout(hello);
        this.#sockets.delete(socket);
      });
      accept(socket);
    });
    this.#server.maxConnections = limits.connectionsMax;
    this.#server.on("drop", () => this.#logRefusal(limits.connectionsMax, logger));
  }

  /** Connections refused so far because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Starts to listen; resolves to the address in use. Throws ADDRESS_IN_USE or INVALID_ARGUMENT. */
  async listen({ host, port }: HostPort): Promise<HostPort> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) =>
        reject(listenError(error, { host, port })),
      );
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.removeAllListeners("error");
    // Such as too many open files: connections wait in the system's queue meanwhile.
    this.#server.on("error", () => undefined);
    const bound = this.#server.address();
    return { host, port: typeof bound === "object" && bound !== null ? bound.port : port };
  }

  /** Takes no more connections. */
  close(): void {
    this.#server.close();
  }

  /** Cuts the connections that are left. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #logRefusal(connectionsMax: number, logger: GrpcLogger): void {
    this.#refused += 1;
    const nowMs = performance.now();
    if (nowMs - this.#refusalLoggedAtMs < REFUSAL_LOG_MS) return;
    this.#refusalLoggedAtMs = nowMs;
    logger.warn({ refused: this.#refused, connectionsMax }, "connections refused: too many are open");
  }
}

/** An address as text; IPv6 hosts in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The error that a failed attempt to listen is. */
export function listenError(error: NodeJS.ErrnoException, address: HostPort): MeshkvError {
  const at = formatHostPort(address);
  switch (error.code) {
    case "EADDRINUSE": {
      const text = `${at} is in use: another process listens there. Stop that one, or listen on another address`;
      return new MeshkvError("ADDRESS_IN_USE", text, { address: at });
    }
    case "EADDRNOTAVAIL":
      return new MeshkvError(
        "INVALID_ARGUMENT",
        `cannot listen on ${at}: no interface of this machine has that address`,
      );
    case "EACCES":
      return new MeshkvError(
        "INVALID_ARGUMENT",
        `cannot listen on ${at}: not allowed; ports below 1024 often are not`,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new MeshkvError("INVALID_ARGUMENT", `cannot listen on ${at}: there is no host of that name`);
    default:
      return new MeshkvError("INTERNAL", `cannot listen on ${at}: ${error.message}`);
  }
}
