import type { ListOptions as Selection } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { entryLine, type Shown } from "../entry-output.ts";
import { writeLines } from "../line-writer.ts";
import { addSessionOption } from "../session-file.ts";

interface ListOptions extends ClientOptions {
  readonly base64?: boolean;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  readonly limit?: string;
  readonly start?: string;
  readonly end?: string;
}

const EXAMPLES = String.raw`
Prints a line for each key, in the order of the keys' bytes: key, a tab, value. Control characters, backslashes and
bytes that are not UTF-8 are escaped as \n, \t, \\, \x00; --json and --base64 are exact.

Examples:
  meshkv list
  meshkv list session/ --keys-only
  meshkv list --start a --end c --limit 10
  meshkv list --reverse --limit 1
  meshkv list --json | jq -r .key`;

/** Adds `meshkv list [PREFIX]`. */
export function addListCommand(program: Command, context: CliContext): void {
  const command = program
    .command("list [prefix]")
    .summary("list keys and values")
    .description("Lists keys and values, all or those that begin with a prefix.")
    .option("--reverse", "from the last key to the first")
    .option("--keys-only", "without values")
    .option("--limit <count>", "print at most so many")
    .option("--start <key>", "from this key on, itself included")
    .option("--end <key>", "up to this key, itself not included");
  addClientOptions(addSessionOption(addBase64Option(command)))
    .addHelpText("after", EXAMPLES)
    .action(async (prefix: string | undefined, options: ListOptions) => {
      await withClient(context, options, async ({ keys, call }) => {
        const { json = false, base64 = false, keysOnly = false } = options;
        const selection = { ...selectionOf(prefix ?? "", options), ...call };
        const entries: AsyncIterable<Shown> = keysOnly ? keys.keys(selection) : keys.list(selection);
        await writeLines(context.terminal, entries, (entry) => entryLine(entry, { json, base64, keysOnly }));
      });
    });
}

function selectionOf(prefix: string, options: ListOptions): Selection {
  const { reverse = false, base64 = false, start = "", end = "" } = options;
  return {
    prefix: bytesFromArgument(prefix, base64, "prefix"),
    // What is empty is no bound.
    start: start === "" ? undefined : bytesFromArgument(start, base64, "start"),
    end: end === "" ? undefined : bytesFromArgument(end, base64, "end"),
    reverse,
    limit: limitOf(options),
  };
}

function limitOf({ limit }: ListOptions): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (/^[0-9]{1,15}$/.test(limit)) return Number(limit);
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `--limit: ${JSON.stringify(limit)} is no count: write a whole number`,
  );
}
