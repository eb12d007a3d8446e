/**
 * What a client does with tokens: calls of one session may overlap, and each reply brings the token of its own call. The
 * format is that of `session-token.ts`; the mesh is compared, and need not be known.
 */
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import { SESSION_ORIGINS_MAX } from "./limits.ts";

const VERSION = 1;
const ORIGIN_BYTES = 8 + 8 + 4;

interface Parts {
  readonly mesh: number;
  readonly seen: ReadonlyMap<string, Seen>;
}

interface Seen {
  readonly timestamp: number;
  readonly start: number;
}

/**
 * A token that has seen what both have; the second one where they are not tokens of one mesh and of this version, so that
 * the server may say what is wrong with it.
 */
export function mergeSessionTokens(first: Uint8Array, second: Uint8Array): Uint8Array {
  const [a, b] = [partsOf(first), partsOf(second)];
  if (a === undefined || b === undefined || a.mesh !== b.mesh) return second;
  const merged = new Map(a.seen);
  for (const [origin, seen] of b.seen) {
    const known = merged.get(origin);
    if (known === undefined || known.timestamp < seen.timestamp) merged.set(origin, seen);
  }
  // More than a token holds: a server leaves out what need not be in it, with the next reply.
  if (merged.size > SESSION_ORIGINS_MAX) return second;
  const all = [...merged].sort(([x], [y]) => (x < y ? -1 : 1));
  const writer = new ByteWriter().u8(VERSION).u32(a.mesh).varint(all.length);
  for (const [origin, { timestamp, start }] of all) writer.id(origin).u64(timestamp).u32(start);
  return writer.u32(crc32c(writer.written())).finish();
}

function partsOf(bytes: Uint8Array): Parts | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== VERSION) return undefined;
    const mesh = reader.u32();
    const seen = new Map<string, Seen>();
    for (let left = reader.count(ORIGIN_BYTES); left > 0; left -= 1) {
      seen.set(reader.id(), { timestamp: reader.u64(), start: reader.u32() });
    }
    reader.u32();
    reader.end();
    return { mesh, seen };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
