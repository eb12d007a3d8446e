/** A session kept in a file, so that commands that run one after the other see what those before them did. */
import { readFile, rename, writeFile } from "node:fs/promises";
import process from "node:process";
import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";

/** What is read of a file; a token is much shorter. */
const FILE_CHARS_MAX = 64 * 1024;

/** The flag of verbs that take part in a session. */
export interface SessionOptions {
  readonly sessionFile?: string;
}

/** Adds `--session-file`. */
export function addSessionOption(command: Command): Command {
  return command.option(
    "--session-file <file>",
    "see at least what earlier commands with this file wrote and read, on whichever replica answers",
  );
}

/** The token in the file; empty when there is no file yet: that begins a session. @throws MeshkvError INVALID_ARGUMENT */
export async function readSessionFile(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).slice(0, FILE_CHARS_MAX).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw unusable(path, error);
  }
}

/** Writes the token, whole or not at all. @throws MeshkvError INVALID_ARGUMENT */
export async function writeSessionFile(path: string, token: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(draft, `${token}\n`, { mode: 0o600 });
    await rename(draft, path);
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): MeshkvError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  return new MeshkvError(
    "INVALID_ARGUMENT",
    `--session-file: ${path} cannot be used (${reason}): name a file that can be read and written`,
  );
}
