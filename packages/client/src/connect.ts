/** The way in. */
import { randomBytes } from "node:crypto";
import { MeshkvError } from "@meshkv/protocol";
import { Caller } from "./call/caller.ts";
import type { MeshkvClient } from "./client.ts";
import { millisecondsOf, type TimeSpan } from "./duration.ts";
import { parseSeed } from "./replicas/addresses.ts";
import { RecentWrites } from "./replicas/recent-writes.ts";
import type { Replica } from "./replicas/replica.ts";
import { ReplicaSet } from "./replicas/replica-set.ts";
import { ClientView } from "./view/client-view.ts";

const TIMEOUT_DEFAULT: TimeSpan = "10s";
const CONNECT_TIMEOUT_DEFAULT: TimeSpan = "5s";

/**
 * Something that happened to a client's replicas: one is well again (`up`) or not any more (`down`), was learnt of (`joined`)
 * or is no member any more (`left`).
 *
 * @example
 * ```ts
 * import { connect, type ClientEvent } from "@meshkv/client";
 * const log = ({ kind, address, reason }: ClientEvent) => console.log(`${address} ${kind}: ${reason}`);
 * await using kv = await connect("127.0.0.1:4000", { onEvent: log });
 * await kv.get("a");
 * ```
 */
export interface ClientEvent {
  readonly kind: "up" | "down" | "joined" | "left";
  /** `host:port`. */
  readonly address: string;
  /** For people. */
  readonly reason: string;
}

/**
 * How a client is to be. The defaults are right for most.
 *
 * @example
 * ```ts
 * import { connect, type ConnectOptions } from "@meshkv/client";
 * const options: ConnectOptions = { timeout: "2s" };
 * await using kv = await connect(["127.0.0.1:4000", "127.0.0.1:4001"], options);
 * await kv.get("a");
 * ```
 */
export interface ConnectOptions {
  /** The time that a call may take unless it says otherwise; 10 s by default. */
  readonly timeout?: TimeSpan | undefined;
  /** The time to find the first replica; 5 s by default. */
  readonly connectTimeout?: TimeSpan | undefined;
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to learn the members from the first replica and to use them all; otherwise only the addresses that are given,
   * the first that is well. True by default.
   */
  readonly discover?: boolean | undefined;
  /** Whether calls share a stream when many are under way, which is several times as fast. True by default. */
  readonly pipelining?: boolean | undefined;
  /** Told what happens to the replicas. What it throws is lost. */
  readonly onEvent?: ((event: ClientEvent) => void) | undefined;
}

/**
 * Connects to a mesh. One address is enough: the others are learnt. Several are tried at once; `dns:///name:4000` stands for
 * every address of a name, and is looked up again when all of them are gone. Rejects with UNAVAILABLE when no
 * replica answers in time.
 *
 * @example
 * ```ts
 * import { connect } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * await kv.set("greeting", "hello", { ttl: "15m" });
 * console.log((await kv.get("greeting"))?.value);
 * ```
 */
export async function connect(
  addresses: string | readonly string[],
  options: ConnectOptions = {},
): Promise<MeshkvClient> {
  const seeds = (typeof addresses === "string" ? [addresses] : addresses).map(parseSeed);
  if (seeds.length === 0) {
    throw new MeshkvError("INVALID_ARGUMENT", "no address: name one replica, such as 127.0.0.1:4000");
  }
  const { pipelining = true, discover = true, signal, onEvent } = options;
  const timeoutMs = millisecondsOf(options.timeout ?? TIMEOUT_DEFAULT, "timeout");
  const connectMs = millisecondsOf(options.connectTimeout ?? CONNECT_TIMEOUT_DEFAULT, "connectTimeout");
  const replicas = new ReplicaSet({
    seeds,
    discover,
    onNews: (news) => {
      try {
        onEvent?.(news);
      } catch {
        // The client goes on whatever a listener does.
      }
    },
  });
  try {
    await replicas.open(connectMs, signal);
  } catch (error) {
    replicas.close();
    throw error;
  }
  const caller = new Caller(replicas, { pipelining, once: false, onRetry: () => undefined });
  return new ClientView({
    caller,
    timeoutMs,
    recent: new RecentWrites<Replica>(),
    nextRequestId: requestIds(),
    session: undefined,
  });
}

/** Ids that nobody else makes: a random beginning, and a count. */
function requestIds(): () => string {
  const beginning = randomBytes(9).toString("base64url");
  let count = 0;
  return () => {
    count += 1;
    return `${beginning}.${count.toString(36)}`;
  };
}
