/** What a run tells of its work, for metrics. */
export interface RunMeter {
  /** A commit group with so many records became durable in so many milliseconds. */
  committed(writes: number, milliseconds: number): void;
  /** Bytes of a message went to a peer. */
  sent(bytes: number): void;
  /** Bytes of a message came from a peer. */
  received(bytes: number): void;
}
