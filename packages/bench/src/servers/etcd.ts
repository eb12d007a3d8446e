import { join } from "node:path";
import { Child, freePort } from "./child.ts";
import { GrpcClient } from "./grpc.ts";
import { MetricsPage } from "./metrics.ts";

/** The paths of the two calls that are compared. */
export const ETCD_PUT = "/etcdserverpb.KV/Put";
export const ETCD_RANGE = "/etcdserverpb.KV/Range";

function field(number: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length > 127) {
    const length = [(bytes.length & 127) | 128, bytes.length >> 7];
    return Uint8Array.from([(number << 3) | 2, ...length, ...bytes]);
  }
  return Uint8Array.from([(number << 3) | 2, bytes.length, ...bytes]);
}

/** `etcdserverpb.PutRequest`. */
export function etcdPut(key: Uint8Array, value: Uint8Array): Uint8Array {
  return Uint8Array.from([...field(1, key), ...field(2, value)]);
}

/** `etcdserverpb.RangeRequest` of one key; serializable: answered from this server's own state, as meshkv does it. */
export function etcdGet(key: Uint8Array): Uint8Array {
  return Uint8Array.from([...field(1, key), (7 << 3) | 0, 1]);
}

/** `etcdserverpb.RangeRequest` of so many keys from one on, serializable. */
export function etcdList(start: Uint8Array, limit: number): Uint8Array {
  const varint = [(limit & 127) | 128, limit >> 7];
  // A range end of one zero byte: all keys from the first on.
  return Uint8Array.from([
    ...field(1, start),
    ...field(2, Uint8Array.of(0)),
    (3 << 3) | 0,
    ...varint,
    (7 << 3) | 0,
    1,
  ]);
}

/** An etcd of one member. */
export class EtcdServer {
  readonly address: string;
  readonly client: GrpcClient;
  readonly #child: Child;

  private constructor(port: number, child: Child) {
    this.address = `127.0.0.1:${port}`;
    this.client = new GrpcClient(this.address);
    this.#child = child;
  }

  static async start(folder: string): Promise<EtcdServer> {
    const [port, peerPort] = [await freePort(), await freePort()];
    const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
    const child = new Child(
      [
        "etcd",
        ["--data-dir", join(folder, "etcd"), "--log-level", "error"],
        ["--listen-client-urls", url, "--advertise-client-urls", url],
        ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
        ["--initial-cluster", `default=${peerUrl}`],
      ].flat(),
      folder,
    );
    const server = new EtcdServer(port, child);
    const key = new TextEncoder().encode("ready");
    await child.ready(() => server.client.raw(ETCD_PUT, etcdPut(key, key)));
    return server;
  }

  get processorSeconds(): number {
    return this.#child.processorSeconds;
  }

  /** Calls of a method that were answered with OK, as etcd counts them. */
  async served(method: string): Promise<number> {
    const labels = new RegExp(`grpc_code="OK",grpc_method="${method}"`);
    return (await MetricsPage.read(`http://${this.address}/metrics`)).sum(
      "grpc_server_handled_total",
      labels,
    );
  }

  async end(): Promise<void> {
    this.client.close();
    await this.#child.end();
  }
}
