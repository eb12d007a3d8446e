import { parseReplicaId, type ReplicaId } from "./ids.ts";
import { TIMESTAMP_MAX, type Timestamp } from "./timestamp.ts";

/** Names one write for ever: when its writer issued it, and who the writer is. */
export interface Version {
  /** When it was issued; grows within one origin. */
  readonly timestamp: Timestamp;
  /** Who issued it. */
  readonly origin: ReplicaId;
}

/** Total order of versions: by timestamp, then by origin. Negative, zero or positive. */
export function compareVersions(a: Version, b: Version): number {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1;
  return a.origin === b.origin ? 0 : a.origin < b.origin ? -1 : 1;
}

/** Text form: 32 hex digits, timestamp then origin; string order is version order. */
export function formatVersion(version: Version): string {
  return version.timestamp.toString(16).padStart(16, "0") + version.origin;
}

/** Reads the text form; undefined when it is not one. */
export function parseVersion(text: string): Version | undefined {
  if (text.length !== 32 || !/^[0-9a-f]{16}/.test(text)) return undefined;
  const origin = parseReplicaId(text.slice(16));
  const timestamp = Number.parseInt(text.slice(0, 16), 16);
  return origin === undefined || timestamp > TIMESTAMP_MAX ? undefined : { timestamp, origin };
}
