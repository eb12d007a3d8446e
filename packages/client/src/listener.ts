/** Calls a listener of the caller's: whatever it throws is its own business, and the client goes on. */
export function tell<Parameters extends readonly unknown[]>(
  listener: ((...parameters: Parameters) => void) | undefined,
  ...parameters: Parameters
): void {
  try {
    listener?.(...parameters);
  } catch {
    // Nobody here could do anything about it.
  }
}
