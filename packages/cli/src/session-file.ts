/** A session kept in a file, so that commands that run one after the other see what those before them did. */
import { readFile, rename, writeFile } from "node:fs/promises";
import process from "node:process";
import { type DescMethod, MeshkvError, type MessageInitShape } from "@meshkv/protocol";
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

/** The token of a session, and the file that it came from. */
export class SessionFile {
  readonly #path: string;
  #saved: string;
  #token: string;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#saved = token;
    this.#token = token;
  }

  /** Reads the file; one that does not exist yet begins a session. @throws MeshkvError INVALID_ARGUMENT */
  static async open(path: string): Promise<SessionFile> {
    try {
      const text = await readFile(path, "utf8");
      return new SessionFile(path, text.slice(0, FILE_CHARS_MAX).trim());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return new SessionFile(path, "");
      throw unusable(path, error);
    }
  }

  /** The request with the session in it, where it has a place for one. */
  into<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
  ): MessageInitShape<Method["input"]> {
    if (!method.input.fields.some(({ localName }) => localName === "session")) return request;
    return { ...request, session: this.#token };
  }

  /** Takes the new token out of a reply, or out of the error of a write that exists all the same. */
  take(from: object): void {
    const found = from instanceof MeshkvError ? from.metadata : from;
    if ("session" in found && typeof found.session === "string" && found.session !== "") {
      this.#token = found.session;
    }
  }

  /** Writes the token back, whole or not at all. @throws MeshkvError INVALID_ARGUMENT */
  async save(): Promise<void> {
    if (this.#token === this.#saved) return;
    const draft = `${this.#path}.${process.pid}.tmp`;
    try {
      await writeFile(draft, `${this.#token}\n`, { mode: 0o600 });
      await rename(draft, this.#path);
      this.#saved = this.#token;
    } catch (error) {
      throw unusable(this.#path, error);
    }
  }
}

function unusable(path: string, error: unknown): MeshkvError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  return new MeshkvError(
    "INVALID_ARGUMENT",
    `--session-file: ${path} cannot be used (${reason}): name a file that can be read and written`,
  );
}
