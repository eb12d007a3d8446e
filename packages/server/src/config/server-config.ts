import type { Address } from "./address.ts";

/** How durable an acknowledged write is when its caller asks for nothing else. */
export type DefaultDurability = "local" | "relaxed";

/** Where HTTP is served. */
export interface HttpListen extends Address {
  /** Whether nobody has asked for this address: if it is taken, any free port does. */
  readonly isDefault: boolean;
}

/** Everything that a server must be told. Made and checked by `loadConfig`; every value is valid. */
export interface ServerConfig {
  /** Where clients and peers are served. Port 0: any free port. */
  readonly listen: Address;
  /** Where HTTP is served; undefined: nowhere. Port 0: any free port. */
  readonly http: HttpListen | undefined;
  /** Origins whose pages may write over HTTP, beside the server's own; such as `https://admin.example.org`. */
  readonly httpOrigins: readonly string[];
  /** Peers to dial, without duplicates and without this server's own address. They may be down. */
  readonly peers: readonly Address[];
  /** Absolute path of the data directory; undefined: everything is kept in memory and lost at the end. */
  readonly data: string | undefined;
  /** The address (`host:port`) that others are told to dial; undefined: the one that is listened on. */
  readonly advertise: string | undefined;
  /** Name of the mesh: only replicas of one name meet. 1 to 64 letters, digits, dots, hyphens, underscores. */
  readonly mesh: string;
  /** What an acknowledgement means by default: durable here, or only accepted. */
  readonly durability: DefaultDurability;
  /** Whether listening beyond loopback without encryption was explicitly allowed. */
  readonly insecure: boolean;
  /** Whether to log what happens in detail. */
  readonly verbose: boolean;
  /** Greatest value that a client may write, in bytes: 1 to 64 MiB. */
  readonly valueBytesMax: number;
  /** A member that was silent for longer is removed (rule M4), in milliseconds. */
  readonly memberTimeoutMs: number;
  /** A member for whom more log than this is kept is removed (rule M4), in bytes. */
  readonly logBudgetBytes: number;
  /** How long a losing write is kept, at least until the horizon (rule X1), in milliseconds. */
  readonly conflictRetentionMs: number;
  /** Logs are kept for watchers at least this long, in milliseconds, … */
  readonly historyMs: number;
  /** … as far as all logs together take no more bytes than this; 0 in either: not kept. */
  readonly historyBytes: number;
  /** Timestamps of peers further ahead of this wall clock are refused (rule C1), in milliseconds. */
  readonly maxClockDriftMs: number;
}
