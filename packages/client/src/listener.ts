/** Calls a listener of the caller's: whatever it throws, at once or later, is its own business, and the client goes on. */
export function tell<Parameters extends readonly unknown[]>(
  listener: ((...parameters: Parameters) => unknown) | undefined,
  ...parameters: Parameters
): void {
  try {
    const result = listener?.(...parameters);
    // An async function is a listener, too.
    if (result instanceof Promise) result.catch(() => undefined);
  } catch {
    // Nobody here could do anything about it.
  }
}
