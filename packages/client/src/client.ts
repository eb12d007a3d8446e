/** The client and its sessions, as callers see them. */
import type { CallOptions, SetOptions, Written } from "./call-options.ts";
import type { Key } from "./key.ts";
import type { KeyValues } from "./key-values.ts";
import type { MemberInfo, RemoveMemberOptions, ReplicaStatus } from "./mesh-info.ts";
import type { VerifyEvent, VerifyOptions } from "./verification.ts";
import type { Json, JsonOnly } from "./value-format.ts";

/**
 * Keys and values that are JSON.
 *
 * @example
 * ```ts
 * import { connect, type JsonKeyValues } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const anywhere: JsonKeyValues[] = [kv, kv.session()];
 * for (const place of anywhere) await place.set("greeting", "hello");
 * ```
 */
export interface JsonKeyValues extends KeyValues<Json> {
  /** Writes a key; the value is whatever has a JSON form. */
  set<T extends Json>(key: Key, value: JsonOnly<T>, options?: SetOptions): Promise<Written>;
}

/**
 * Reads and writes that belong together: each sees what the ones before it saw and wrote, on whichever replica it lands.
 * A session stays with one replica while that is well. Where no replica that can be reached has what it saw,
 * its calls end with SESSION_NOT_MET.
 *
 * @example
 * ```ts
 * import { connect, type Session } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const session: Session = kv.session();
 * await session.set("greeting", "hello");
 * const entry = await session.get("greeting"); // never the state before the write
 * const later = kv.session(session.token); // goes on in another process, say
 * console.log(entry?.value, await later.get("greeting"));
 * ```
 */
export interface Session extends JsonKeyValues {
  /** What the session has seen, for `kv.session(token)` anywhere in the mesh; empty when that is nothing yet. */
  readonly token: string;
  /** The same keys with values that are text. */
  readonly text: KeyValues<string>;
  /** The same keys with values that are bytes. */
  readonly bytes: KeyValues<Uint8Array>;
}

/**
 * One replica as this client sees it.
 *
 * @example
 * ```ts
 * import { connect, type ReplicaView } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const well: ReplicaView[] = kv.replicas.filter(({ isWell }) => isWell);
 * console.log(well.map(({ address, latencyMs }) => `${address} ${latencyMs} ms`));
 * ```
 */
export interface ReplicaView {
  /** `host:port`, by which it is reached. */
  readonly address: string;
  /** Its id, once known. */
  readonly replicaId: string | undefined;
  /** Whether it is given calls. */
  readonly isWell: boolean;
  /** What is wrong with it, when it is not well. */
  readonly problem: string | undefined;
  /** How long answers of reads take, with slow ones remembered for some seconds, in milliseconds. */
  readonly latencyMs: number;
  /** Calls under way. */
  readonly inFlight: number;
}

/**
 * A client of a mesh: its keys and values as JSON, other views of them, sessions, and the mesh itself.
 *
 * @example
 * ```ts
 * import { connect, type MeshkvClient } from "@meshkv/client";
 * const kv: MeshkvClient = await connect("127.0.0.1:4000");
 * await kv.set("greeting", "hello");
 * await kv.close();
 * ```
 */
export interface MeshkvClient extends JsonKeyValues, AsyncDisposable {
  /**
   * The same keys with values that are text.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.text.set("motd", "hello");
   * ```
   */
  readonly text: KeyValues<string>;

  /**
   * The same keys with values that are bytes.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.bytes.set("pixel.png", new Uint8Array([137, 80, 78, 71]));
   * ```
   */
  readonly bytes: KeyValues<Uint8Array>;

  /** The replicas that the client knows. */
  readonly replicas: readonly ReplicaView[];

  /**
   * Begins a session, or goes on with one from its token.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const session = kv.session();
   * await session.set("a", 1);
   * console.log(await session.get("a"));
   * ```
   */
  session(token?: string): Session;

  /**
   * How one replica is, and what it knows of the others.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * const { replicaId, state, keys } = await kv.status();
   * console.log(replicaId, state, keys);
   * ```
   */
  status(options?: CallOptions): Promise<ReplicaStatus>;

  /**
   * Every replica that is a member, or was.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for (const { address, state } of await kv.members()) console.log(address, state);
   * ```
   */
  members(options?: CallOptions): Promise<MemberInfo[]>;

  /**
   * Removes a member for good. MEMBER_NOT_FOUND when there is none of that id; FORCE_REQUIRED when some member could not be
   * asked for its writes first.
   *
   * @example
   * ```ts
   * import { connect, MeshkvError } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * await kv.removeMember("00000000000000aa").catch((error: unknown) => {
   *   if (!(error instanceof MeshkvError)) throw error;
   *   console.log(error.code); // MEMBER_NOT_FOUND
   * });
   * ```
   */
  removeMember(replicaId: string, options?: RemoveMemberOptions): Promise<void>;

  /**
   * Has one replica read its whole table again, check every record, and compare it key by key with the tables of the others,
   * while writes go on. Tells each key that differs as it is found, and of each member what became of it. Takes as long as the
   * tables are large; there is no deadline. MEMBER_NOT_FOUND when there is no such peer.
   *
   * @example
   * ```ts
   * import { connect } from "@meshkv/client";
   * await using kv = await connect("127.0.0.1:4000");
   * for await (const event of kv.verify()) {
   *   if (event.type === "check") console.log(event.address, event.isSound ? "is sound" : "is not as written");
   *   if (event.type === "difference") console.log(event.key, event.version, event.peerVersion);
   *   if (event.type === "result") console.log(event.address, event.outcome);
   * }
   * ```
   */
  verify(options?: VerifyOptions): AsyncIterable<VerifyEvent>;

  /** Ends all connections. Calls under way end with CANCELLED. */
  close(): Promise<void>;
}
