import { InvariantError, MeshkvError } from "@meshkv/core";

const FULL = /no space left|disk quota|enospc|edquot|file too large/i;

/** Turns what an engine or a file system threw into the operating failure that it is. Bugs it throws on. */
export function storageError(cause: unknown, doing: string): MeshkvError {
  if (cause instanceof InvariantError) throw cause;
  if (cause instanceof MeshkvError) return cause;
  const text = messages(cause);
  const error = new MeshkvError(FULL.test(text) ? "STORAGE_FULL" : "STORAGE_FAILED", `${doing}: ${text}`);
  error.cause = cause;
  return error;
}

/** An error's message with those of its causes. */
export function messages(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : `${cause.message}: ${messages(cause.cause)}`;
}

/** The `code` of an error or of the first of its causes that has one that is asked for. */
export function hasCode(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === code) || hasCode(error.cause, code);
}

/** Whether the engine met damage in its files: a repair, which opening the directory again brings, is called for. */
export function isCorruption(error: unknown): boolean {
  return hasCode(error, "LEVEL_CORRUPTION");
}
