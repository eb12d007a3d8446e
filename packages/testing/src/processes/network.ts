/** The connections between the servers of a test: one proxy for each ordered pair, so that every link can be harmed. */
import { fileURLToPath } from "node:url";
import { FaultProxy } from "../fault-proxy.ts";

const PRELOAD = new URL("./route-connections.mjs", import.meta.url);

/** All links between some servers; each can be harmed on its own. */
export class Network {
  readonly #proxies = new Map<string, FaultProxy>();
  readonly #ports: readonly number[];

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  /** Makes the proxies between servers on the ports; they need not run yet. */
  static async between(ports: readonly number[]): Promise<Network> {
    const network = new Network(ports);
    for (const from of ports) {
      for (const to of ports) {
        if (from !== to) network.#proxies.set(`${from}>${to}`, await FaultProxy.start(to));
      }
    }
    return network;
  }

  /** What the server on the port needs in its environment so that it dials the others through the proxies. */
  environmentOf(from: number): Record<string, string> {
    const others = this.#ports.filter((port) => port !== from);
    const routes = others.map((to) => [`127.0.0.1:${to}`, this.proxy(from, to).port] as const);
    return {
      NODE_OPTIONS: `--import ${fileURLToPath(PRELOAD)}`,
      MESHKV_TEST_ROUTES: JSON.stringify(Object.fromEntries(routes)),
    };
  }

  /** The proxy through which one server dials another. */
  proxy(from: number, to: number): FaultProxy {
    const proxy = this.#proxies.get(`${from}>${to}`);
    if (proxy === undefined) throw new Error(`no proxy from ${from} to ${to}`);
    return proxy;
  }

  /** Cuts two servers off each other. */
  cut(a: number, b: number): void {
    this.proxy(a, b).cut();
    this.proxy(b, a).cut();
  }

  /** Cuts a server off all others. */
  isolate(port: number): void {
    for (const other of this.#ports) if (other !== port) this.cut(port, other);
  }

  /** Cuts every pair of servers, given by their places among the ports, that the rule does not let talk. */
  shape(mayTalk: (a: number, b: number) => boolean): void {
    for (const [a, from] of this.#ports.entries()) {
      for (const [b, to] of this.#ports.entries()) if (a < b && !mayTalk(a, b)) this.cut(from, to);
    }
  }

  /** Delays everything between a server and all others. */
  slow(port: number, delayMs: number): void {
    for (const other of this.#ports) {
      if (other === port) continue;
      this.proxy(port, other).slow(delayMs);
      this.proxy(other, port).slow(delayMs);
    }
  }

  /** Lets nothing from one server reach the other, while connections seem to live on. */
  mute(from: number, to: number): void {
    this.proxy(from, to).stall("forward");
    this.proxy(to, from).stall("backward");
  }

  /** Repairs the links between two servers, or all. */
  heal(a?: number, b?: number): void {
    for (const [name, proxy] of this.#proxies) {
      if (a === undefined || b === undefined || name === `${a}>${b}` || name === `${b}>${a}`) proxy.heal();
    }
  }

  /** Ends all proxies. */
  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }
}
