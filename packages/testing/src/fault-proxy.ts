/**
 * A TCP proxy between two processes of a test that can do to a connection what networks do: cut it, stall it, let only
 * one direction through, slow it down. What was stalled goes on after `heal`, as packets that were sent again do.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** `forward` is from whoever dials to the target, `backward` the other way. */
export type Direction = "forward" | "backward";

/** A proxy in front of one port, through which all connections of one dialling side go. */
export class FaultProxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  readonly #held = new Set<Direction>();
  #waiting: (() => void)[] = [];
  #delayMs = 0;
  #refusing = false;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on("connection", (socket) => this.#join(socket));
  }

  /** Starts a proxy on a free port of loopback, for a target on loopback that need not listen yet. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new FaultProxy(server, targetPort);
    server.listen({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    return proxy;
  }

  /** The port to dial instead of the target's. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts all connections and takes no new ones. */
  cut(): void {
    this.#refusing = true;
    this.breakConnections();
  }

  /** Cuts all connections; new ones are taken. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets nothing through in the given directions; connections stay open, and new ones are taken. */
  stall(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
  }

  /** Delays every chunk of bytes, one after the other. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Ends every fault; what was stalled goes on. */
  heal(): void {
    this.#refusing = false;
    this.#delayMs = 0;
    this.#held.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#held.clear();
    for (const resume of waiting) resume();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #join(near: Socket): void {
    if (this.#refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: "127.0.0.1", port: this.#targetPort, allowHalfOpen: true });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.#carry(near, far, "forward");
    this.#carry(far, near, "backward");
  }

  #carry(from: Socket, to: Socket, direction: Direction): void {
    const gate = (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> => this.#gated(chunks, direction);
    pipeline(from, gate, to).catch(() => {
      // One side is gone: so is the connection.
      from.destroy();
      to.destroy();
    });
  }

  async *#gated(chunks: AsyncIterable<Buffer>, direction: Direction): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      if (this.#delayMs > 0) await sleep(this.#delayMs);
      while (this.#held.has(direction)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      yield chunk;
    }
  }
}
