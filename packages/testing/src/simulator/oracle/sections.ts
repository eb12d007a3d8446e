/** The part of a replica's durable sections that the oracle judges. */
import {
  decodeState,
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

/** Reads the sections; undefined while a successor has not written all of them. */
export function readSections(
  sections: ReadonlyMap<StateSection, Uint8Array>,
): { readonly identity: IdentityView; readonly progress: ProgressView } | undefined {
  if (sections.size < 3) return undefined;
  const { identity, progress } = decodeState(sections);
  return { identity, progress };
}
