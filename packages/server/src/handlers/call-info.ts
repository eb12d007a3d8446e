/** What a handler knows of the call that it answers, whatever the transport. */
export interface CallInfo {
  /**
   * Aborts when nobody waits for the answer any more: cancelled, past its deadline, connection lost. Its reason is a
   * `MeshkvError`.
   */
  readonly signal: AbortSignal;
  /** Throws the reason if the signal has aborted, for transports that make a signal only when it is asked for. */
  throwIfEnded?(): void;
  /** When the caller stops waiting, in Unix milliseconds; undefined: never. */
  readonly deadlineMs: number | undefined;
}

/** Throws when nobody waits for the answer of the call any more. */
export function requireOpen(call: CallInfo): void {
  if (call.throwIfEnded === undefined) call.signal.throwIfAborted();
  else call.throwIfEnded();
}
