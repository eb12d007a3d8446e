import { type DeleteRequestSchema, KeyValue, type MessageInitShape, MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withConnection } from "../client-options.ts";
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
      await withConnection(context, options, async (connection) => {
        const request = { ...requestFor(keyText, options), ...concernOf(options) };
        const reply = await connection.call(KeyValue.method.delete, request, "write");
        const deleted = Number(reply.deleted);
        if (options.json === true) await context.terminal.writeJson({ deleted, version: reply.version });
        else await context.terminal.write(`deleted ${deleted}\n`);
      });
    });
}

function requestFor(
  keyText: string | undefined,
  { prefix, all, base64 = false, ifVersion }: DelOptions,
): MessageInitShape<typeof DeleteRequestSchema> {
  if (keyText !== undefined && (prefix !== undefined || all === true)) {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      "give a key, or --prefix, or --all: not a key and one of the others",
    );
  }
  if (keyText !== undefined) {
    const target = { case: "key" as const, value: bytesFromArgument(keyText, base64, "key") };
    if (ifVersion === undefined) return { target };
    return { target, condition: { kind: { case: "ifVersion", value: ifVersion } } };
  }
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
  return {
    target: { case: "prefix", value: bytesFromArgument(prefix ?? "", base64, "prefix") },
    all: all === true,
  };
}
