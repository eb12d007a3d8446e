/** `--concern`: how far a write must have gone before the command ends. */
import {
  create,
  MeshkvError,
  type WriteConcern,
  WriteConcern_Level,
  WriteConcernSchema,
} from "@meshkv/protocol";
import type { Command } from "commander";

/** The flag of verbs that write. */
export interface ConcernOptions {
  readonly concern?: string;
}

const LEVELS: Readonly<Record<string, WriteConcern_Level>> = {
  relaxed: WriteConcern_Level.RELAXED,
  local: WriteConcern_Level.LOCAL,
  all: WriteConcern_Level.ALL,
};

/** Adds `--concern`. */
export function addConcernOption(command: Command): Command {
  return command.option(
    "--concern <level>",
    "wait until the write is on disk here (local), on so many replicas (a number), or on all; relaxed: do not wait",
  );
}

/** The field of a request; absent where the server decides. @throws MeshkvError INVALID_ARGUMENT */
export function concernOf({ concern }: ConcernOptions): {
  readonly concern?: WriteConcern;
} {
  if (concern === undefined) return {};
  const level = LEVELS[concern];
  if (level !== undefined)
    return { concern: create(WriteConcernSchema, { kind: { case: "level", value: level } }) };
  if (/^[1-9][0-9]{0,8}$/.test(concern)) {
    return { concern: create(WriteConcernSchema, { kind: { case: "replicas", value: Number(concern) } }) };
  }
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `--concern: ${JSON.stringify(concern)} is none: write relaxed, local, all, or a number of replicas from 1 on`,
  );
}
