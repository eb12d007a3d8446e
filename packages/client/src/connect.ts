/** The way in. */
import { randomBytes } from "node:crypto";
import { MeshkvError } from "@meshkv/protocol";
import { Caller } from "./call/caller.ts";
import type { MeshkvClient } from "./client.ts";
import { millisecondsOf, type TimeSpan } from "./duration.ts";
import { tell } from "./listener.ts";
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
   * Whether to learn the members from the first replica and to use them all. Otherwise only the addresses that are given
   * are used, one at a time: the first, and whenever that one fails the next. True by default.
   */
  readonly discover?: boolean | undefined;
  /**
   * Whether to return without having found a replica: nothing is sent before the first call when `discover` is false, which
   * suits a program that makes one call and ends; and a mesh that is not there yet is no error before it is needed.
   * False by default.
   */
  readonly lazy?: boolean | undefined;
  /**
   * Whether calls are tried again while their time lasts, where that is safe. Otherwise each replica is asked at most once, a
   * write that may have been done is not repeated, a watch that cannot begin ends, and the error says what was
   * wrong with each replica. True by default.
   */
  readonly retries?: boolean | undefined;
  /** Whether calls share a stream when many are under way, which is several times as fast. True by default. */
  readonly pipelining?: boolean | undefined;
  /** Told what happens to the replicas. What it throws is lost. */
  readonly onEvent?: ((event: ClientEvent) => void) | undefined;
  /** Told why a call or a watch goes on at another replica, and at which address. What it throws is lost. */
  readonly onRetry?: ((error: MeshkvError, address: string) => void) | undefined;
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
  const { pipelining = true, discover = true, lazy = false, retries = true } = options;
  const { signal, onEvent, onRetry } = options;
  const timeoutMs = millisecondsOf(options.timeout ?? TIMEOUT_DEFAULT, "timeout");
  const connectMs = millisecondsOf(options.connectTimeout ?? CONNECT_TIMEOUT_DEFAULT, "connectTimeout");
  const replicas = new ReplicaSet({
    seeds,
    discover,
    lazy,
    onNews: (news) => tell(onEvent, news),
  });
  try {
    await replicas.open(connectMs, signal);
  } catch (error) {
    replicas.close();
    throw error;
  }
  const caller = new Caller(replicas, {
    pipelining,
    retries,
    onRetry: (error, address) => tell(onRetry, error, address),
  });
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
