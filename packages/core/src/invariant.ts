/** Thrown when the program itself is wrong: never expected, never caught to go on. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws an {@link InvariantError} unless the condition holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
