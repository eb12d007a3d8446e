/**
 * Where a watcher goes on, on any replica: the position up to which it was told everything, and the records that it was
 * shown, which the next replica must have before it tells anything. Opaque to clients, checked, and never taken into a
 * replica's clock or vector: a made-up token misleads nobody but its maker.
 *
 * ```
 * token    = u8 version (2), u8 state (0 following, 1 snapshot not begun, 2 snapshot), u32 mesh, position, blob seen,
 *            [key after], u32 checksum
 * mesh     = CRC-32C of the mesh's name
 * seen     = a session token
 * after    = the last key of the snapshot that was sent; with state 2 only
 * checksum = CRC-32C of all before it
 * ```
 */
import { ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import { crc32c } from "../crc32c.ts";
import type { KeyText } from "../ids.ts";
import { KEY_BYTES_MAX } from "../limits.ts";
import type { Replica } from "../replica/replica.ts";
import { meshNamePrint, SESSION_TOKEN_BYTES_MAX, SessionToken } from "../session-token.ts";
import {
  readWatchPosition,
  WATCH_ORIGINS_MAX,
  type WatchPosition,
  writeWatchPosition,
} from "./watch-position.ts";

const VERSION = 2;
const FOLLOWING = 0;
const SNAPSHOT_FIRST = 1;
const SNAPSHOT = 2;

/** No token is longer, in bytes. One of a mesh of 30 replicas has about 1,600. */
export const WATCH_TOKEN_BYTES_MAX = 64 + WATCH_ORIGINS_MAX * 32 + SESSION_TOKEN_BYTES_MAX + KEY_BYTES_MAX;

/** How far the snapshot of an `initial` watch was sent. */
export interface SnapshotProgress {
  /** The last key; undefined before the first. */
  readonly after: KeyText | undefined;
}

/** What a token says. */
export interface WatchResume {
  readonly at: WatchPosition;
  /** What was shown, or was left out because something newer is about to be shown. */
  readonly seen: SessionToken;
  /** Set while the current state is being sent. */
  readonly snapshot: SnapshotProgress | undefined;
}

/** What a token's bytes say, or what is wrong with them. */
export type WatchTokenResult = { readonly resume: WatchResume } | { readonly problem: string };

/** Encodes a token. */
export function encodeWatchToken({ at, seen, snapshot }: WatchResume, replica: Replica): Uint8Array {
  const state = snapshot === undefined ? FOLLOWING : snapshot.after === undefined ? SNAPSHOT_FIRST : SNAPSHOT;
  const { name } = replica.identity.mesh;
  const writer = new ByteWriter(128 + at.vector.size * 24).u8(VERSION).u8(state).u32(meshNamePrint(name));
  writeWatchPosition(writer, at, (origin) => !replica.members.isRemoved(origin));
  writer.blob(seen.encode(replica));
  if (snapshot?.after !== undefined) writer.key(snapshot.after);
  return writer.u32(crc32c(writer.written())).finish();
}

/** Reads a token. Never throws; what is wrong is said as the end of a sentence about the token. */
export function decodeWatchToken(bytes: Uint8Array, meshName: string): WatchTokenResult {
  const garbled = { problem: "is no token that a server has answered: send it as it came, or none" };
  if (bytes.length < 32 || bytes.length > WATCH_TOKEN_BYTES_MAX) return garbled;
  if (new ByteReader(bytes, bytes.length - 4).u32() !== crc32c(bytes, 0, bytes.length - 4)) return garbled;
  try {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== VERSION)
      return { problem: "comes from another version of meshkv: watch afresh, with the current state first" };
    const state = reader.u8();
    if (state > SNAPSHOT) return garbled;
    if (reader.u32() !== meshNamePrint(meshName))
      return { problem: "comes from another mesh: watch afresh, with the current state first" };
    const at = readWatchPosition(reader);
    const seen = SessionToken.decode(reader.blob(), meshName);
    if ("problem" in seen) return garbled;
    const after = state === SNAPSHOT ? reader.key() : undefined;
    reader.u32();
    reader.end();
    if (after !== undefined && (after.length === 0 || after.length > KEY_BYTES_MAX)) return garbled;
    return { resume: { at, seen: seen.token, snapshot: state === FOLLOWING ? undefined : { after } } };
  } catch (error) {
    if (error instanceof FormatError) return garbled;
    throw error;
  }
}
