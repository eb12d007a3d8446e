/** What a verb's failure means to the person or program that ran it. */
import { exitCodeOf, MeshkvError } from "@meshkv/protocol";

/** What to tell, and what to exit with. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** What belongs to the code, such as the current version with CONDITION_FAILED. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly exitCode: number;
}

/**
 * Explains whatever was thrown. What is neither one of our errors nor one of the system's is a fault of ours, and shows
 * where it happened.
 */
export function explainFailure(error: unknown): Failure {
  if (isMeshkvError(error)) {
    const { code, metadata } = error;
    const current = metadata["version"];
    const message =
      code === "CONDITION_FAILED" && current !== undefined && !error.message.includes(current)
        ? `${error.message} (current version: ${current})`
        : error.message;
    return { code, message, metadata, exitCode: exitCodeOf(code) };
  }
  if (isSystemError(error)) return { code: "INTERNAL", message: error.message, metadata: {}, exitCode: 1 };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "INTERNAL", message: `a fault in meshkv itself: ${message}`, metadata: {}, exitCode: 1 };
}

/** Lines for a person: the first says who speaks, the others belong to it. */
export function failureLines({ message }: Failure): string {
  return message
    .split("\n")
    .map((line, index) => (index === 0 || line.startsWith(" ") ? line : `  ${line}`))
    .map((line, index) => (index === 0 ? `meshkv: ${line}` : line))
    .join("\n");
}

/** What the operating system refused, such as a file that may not be read: its message names call and path. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "errno" in error;
}

function isMeshkvError(error: unknown): error is MeshkvError {
  return error instanceof MeshkvError;
}
