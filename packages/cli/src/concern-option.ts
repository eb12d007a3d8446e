/** `--concern`: how far a write must have gone before the command ends. */
import type { Concern } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";

/** The flag of verbs that write. */
export interface ConcernOptions {
  readonly concern?: string;
}

/** Adds `--concern`. */
export function addConcernOption(command: Command): Command {
  return command.option(
    "--concern <level>",
    "wait until the write is on disk here (local), on so many replicas (a number), or on all; relaxed: do not wait",
  );
}

/** The option of a write; absent where the server decides. @throws MeshkvError INVALID_ARGUMENT */
export function concernOf({ concern }: ConcernOptions): { readonly concern?: Concern } {
  if (concern === undefined) return {};
  if (concern === "relaxed" || concern === "local" || concern === "all") return { concern };
  if (/^[1-9][0-9]{0,8}$/.test(concern)) return { concern: Number(concern) };
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `--concern: ${JSON.stringify(concern)} is none: write relaxed, local, all, or a number of replicas from 1 on`,
  );
}
