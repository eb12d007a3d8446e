/** What is known of versions, and of the records that they name: found by numbers, without making a name of them. */
import type { ReplicaId, Timestamp } from "@meshkv/core";

interface Place<T> {
  readonly origin: ReplicaId;
  readonly checksum: number;
  value: T;
}

export class VersionIndex<T> {
  /** Hardly ever does a timestamp belong to more than one version. */
  readonly #places = new Map<Timestamp, Place<T>[]>();
  #size = 0;

  /** Records that something is known of. */
  get size(): number {
    return this.#size;
  }

  get(timestamp: Timestamp, origin: ReplicaId, checksum: number): T | undefined {
    const places = this.#places.get(timestamp);
    if (places === undefined) return undefined;
    for (const place of places)
      if (place.checksum === checksum && place.origin === origin) return place.value;
    return undefined;
  }

  /** What was put in last of the version, whatever record it named. */
  latest(timestamp: Timestamp, origin: ReplicaId): T | undefined {
    return this.#places.get(timestamp)?.findLast((place) => place.origin === origin)?.value;
  }

  set(timestamp: Timestamp, origin: ReplicaId, checksum: number, value: T): void {
    const places = this.#places.get(timestamp) ?? [];
    const index = places.findIndex((place) => place.checksum === checksum && place.origin === origin);
    if (index >= 0) places.splice(index, 1);
    else this.#size += 1;
    places.push({ origin, checksum, value });
    if (places.length === 1) this.#places.set(timestamp, places);
  }
}
