import type { Address } from "./address.ts";

/** How durable an acknowledged write is when its caller asks for nothing else. */
export type DefaultDurability = "local" | "relaxed";

/** Everything that a server must be told. Made and checked by `loadConfig`; every value is valid. */
export interface ServerConfig {
  /** Where clients and peers are served. Port 0: any free port. */
  readonly listen: Address;
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
  /** Timestamps of peers further ahead of this wall clock are refused (rule C1), in milliseconds. */
  readonly maxClockDriftMs: number;
}
