/** Outcomes of requests as the store keeps them; the grammar is in docs/STORAGE-FORMAT.md. */
import {
  ByteReader,
  ByteWriter,
  type KeyText,
  keyTextFromBytes,
  keyTextToBytes,
  type ReplicaId,
  type Version,
} from "@meshkv/core";

/** What is kept of a request. */
export interface RequestOutcome {
  readonly atMs: number;
  readonly content: number;
  readonly versions: readonly Version[];
  readonly existed: readonly boolean[];
}

/** A request id as the text of a row key. */
export function requestKey(id: string): KeyText {
  return keyTextFromBytes(new TextEncoder().encode(id));
}

/** The request id of a row key. */
export function requestIdOf(key: KeyText): string {
  return new TextDecoder().decode(keyTextToBytes(key));
}

/** All versions of one commit are of one origin. */
export function encodeOutcome({ atMs, content, versions, existed }: RequestOutcome): Uint8Array {
  const writer = new ByteWriter(24 + versions.length * 9).u64(Math.max(0, Math.floor(atMs))).u32(content);
  writer.id(versions[0]?.origin ?? "0".repeat(16)).varint(versions.length);
  for (const [index, { timestamp }] of versions.entries()) {
    writer.u64(timestamp).u8(existed[index] === true ? 1 : 0);
  }
  return writer.finish();
}

/** Reads what {@link encodeOutcome} wrote. @throws FormatError */
export function decodeOutcome(bytes: Uint8Array): RequestOutcome {
  const reader = new ByteReader(bytes);
  const atMs = reader.u64();
  const content = reader.u32();
  const origin = reader.id() as ReplicaId;
  const count = reader.count(9);
  const versions: Version[] = [];
  const existed: boolean[] = [];
  for (let index = 0; index < count; index += 1) {
    versions.push({ timestamp: reader.u64(), origin });
    existed.push(reader.u8() === 1);
  }
  reader.end();
  return { atMs, content, versions, existed };
}
