/** What a handler knows of the call that it answers, whatever the transport. */
export interface CallInfo {
  /**
   * Aborts when nobody waits for the answer any more: cancelled, past its deadline, connection lost. Its reason is a
   * `MeshkvError`.
   */
  readonly signal: AbortSignal;
  /** When the caller stops waiting, in Unix milliseconds; undefined: never. */
  readonly deadlineMs: number | undefined;
}
