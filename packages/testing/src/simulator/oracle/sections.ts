/** The part of a replica's durable sections that the oracle judges. */
import {
  ByteReader,
  decodeState,
  readVector,
  type ReplicaId,
  type Start,
  type StateSection,
  type Timestamp,
  type VersionVector,
} from "@meshkv/core";

export interface ProgressView {
  readonly horizon: Timestamp;
  readonly vector: VersionVector;
  readonly floors: ReadonlyMap<ReplicaId, Timestamp>;
}

export interface IdentityView {
  readonly replicaId: ReplicaId;
  readonly starts: readonly Start[];
}

interface Sections {
  readonly identity: IdentityView;
  readonly progress: ProgressView;
}

/** What was decoded already: sections are rewritten whole, so equal bytes are mostly the same bytes. */
const IDENTITIES = new WeakMap<Uint8Array, IdentityView>();

/** Reads the sections; undefined while a successor has not written all of them. */
export function readSections(sections: ReadonlyMap<StateSection, Uint8Array>): Sections | undefined {
  const [identity, progress] = [sections.get("identity"), sections.get("progress")];
  if (identity === undefined || progress === undefined || sections.size < 3) return undefined;
  let view = IDENTITIES.get(identity);
  if (view === undefined) {
    view = decodeState(sections).identity;
    IDENTITIES.set(identity, view);
  }
  return { identity: view, progress: readProgress(progress) };
}

/** The part of `progress` that is judged; the whole grammar is in docs/STORAGE-FORMAT.md. */
function readProgress(bytes: Uint8Array): ProgressView {
  const reader = new ByteReader(bytes);
  reader.u8();
  for (let skipped = 0; skipped < 3; skipped += 1) reader.u64();
  const horizon = reader.u64();
  for (let left = reader.count(8); left > 0; left -= 1) reader.id();
  const vector = readVector(reader);
  const floors = new Map<ReplicaId, Timestamp>();
  for (let left = reader.count(16); left > 0; left -= 1) floors.set(reader.id() as ReplicaId, reader.u64());
  return { horizon, vector, floors };
}
