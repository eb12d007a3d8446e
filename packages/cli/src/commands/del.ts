import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import {
  addBase64Option,
  addClientOptions,
  type ClientOptions,
  type MeshAccess,
  withClient,
} from "../client-options.ts";
import { addConcernOption, concernOf, type ConcernOptions } from "../concern-option.ts";
import { addSessionOption } from "../session-file.ts";

interface DelOptions extends ClientOptions, ConcernOptions {
  readonly ifVersion?: string;
  readonly base64?: boolean;
  readonly prefix?: string;
  readonly all?: boolean;
}

const EXAMPLES = `
Prints how many keys there were to delete; a key that is not there is no failure. Many keys go in steps of 1,000.

Examples:
  meshkv del greeting
  meshkv del greeting --concern all
  meshkv del --prefix session/
  meshkv del --all`;

/** Adds `meshkv del KEY` and `meshkv del --prefix P`. */
export function addDelCommand(program: Command, context: CliContext): void {
  const command = program
    .command("del [key]")
    .summary("delete a key, or every key under a prefix")
    .description("Deletes a key, or every key that begins with a prefix.")
    .option("--prefix <prefix>", "delete every key that begins with this")
    .option("--all", "delete every key there is")
    .option("--if-version <version>", "only if this is the key's version");
  addClientOptions(addSessionOption(addConcernOption(addBase64Option(command))))
    .addHelpText("after", EXAMPLES)
    .action(async (keyText: string | undefined, options: DelOptions) => {
      await withClient(context, options, async (access) => {
        const { deleted, version } = await runDelete(keyText, options, access);
        if (options.json === true) await context.terminal.writeJson({ deleted, version });
        else await context.terminal.write(`deleted ${deleted}\n`);
      });
    });
}

async function runDelete(
  keyText: string | undefined,
  options: DelOptions,
  { keys, call }: MeshAccess,
): Promise<{ readonly deleted: number; readonly version: string }> {
  checkTarget(keyText, options);
  const { prefix = "", base64 = false, ifVersion } = options;
  const how = { ...concernOf(options), ...call };
  if (keyText === undefined) {
    const bytes = bytesFromArgument(prefix, base64, "prefix");
    const { count, version } = await keys.deletePrefix(bytes, { ...how, all: bytes.length === 0 });
    return { deleted: count, version };
  }
  const condition = ifVersion === undefined ? {} : { ifVersion };
  const key = bytesFromArgument(keyText, base64, "key");
  const { existed, version } = await keys.delete(key, { ...how, ...condition });
  return { deleted: existed ? 1 : 0, version };
}

/** Refuses what does not say clearly what to delete. @throws MeshkvError INVALID_ARGUMENT */
function checkTarget(keyText: string | undefined, { prefix, all, ifVersion }: DelOptions): void {
  if (keyText !== undefined && (prefix !== undefined || all === true)) {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      "give a key, or --prefix, or --all: not a key and one of the others",
    );
  }
  if (keyText !== undefined) return;
  if (ifVersion !== undefined) {
    throw new MeshkvError("INVALID_ARGUMENT", "--if-version goes with one key: give a key");
  }
  if (prefix === undefined && all !== true) {
    throw new MeshkvError("INVALID_ARGUMENT", "say what to delete: a key, --prefix PREFIX, or --all");
  }
  if (prefix === "" && all !== true) {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      "an empty prefix means every key: add --all if that is what you want",
    );
  }
  if (prefix !== undefined && prefix !== "" && all === true) {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      "--all deletes every key, not only those under the prefix: give one of them",
    );
  }
}
