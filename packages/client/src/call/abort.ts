import { setMaxListeners } from "node:events";

/** Listens to a signal that callers may give to many calls: that is no leak, and not worth a warning. Returns how to stop. */
export function onceAborted(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  setMaxListeners(0, signal);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}
