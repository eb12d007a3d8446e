import type { Entry } from "@meshkv/client";
import { exitCodeOf, MeshkvError } from "@meshkv/protocol";
import { type Command, Option } from "commander";
import { bytesFromArgument, lineTextOf, quoteBytes, utf8TextOf } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addClientOptions, type ClientOptions, type MeshAccess, withClient } from "../client-options.ts";
import { type EntryFormat, entryToJson } from "../entry-output.ts";
import { writeLines } from "../line-writer.ts";

interface ClientVerbOptions extends ClientOptions {
  readonly verbose?: boolean;
}

/** One flag of the command line, in its place. */
export type Operation =
  | { readonly kind: "set"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "get"; readonly key: Uint8Array }
  | { readonly kind: "list" };

const FORMAT: EntryFormat = { json: true, base64: false, keysOnly: false };

const EXAMPLES = `
Runs --set, --get and --list in the order in which they are given, as often as they are given. Prints a line KEY=VALUE
for every --get and for every key of --list. Exit code 3: a key of --get is not there; the rest is done all the same.

Examples:
  meshkv client --set a=1 --set b=2 --get a --list -v
  meshkv client --set 3479d894-0f34-4a52-8d3b-1f2d6a3c9e10=this_is_a_value --list --ip 127.0.0.1:4001`;

/** Adds `meshkv client`, with the flags of the project that this one comes from. */
export function addClientCommand(program: Command, context: CliContext): void {
  const operations: Operation[] = [];
  const command = program
    .command("client")
    .summary("set, get and list, in the order given")
    .description("Sets, gets and lists, in the order given.")
    .addOption(new Option("--set <key=value>", "write a key; the first = ends the key"))
    .addOption(new Option("--get <key>", "print the value of a key"))
    .addOption(new Option("--list", "print every key and value"))
    .option("-v, --verbose", "tell what is done, and where")
    .on("option:set", (text: string) => operations.push(parseSet(text)))
    .on("option:get", (text: string) =>
      operations.push({ kind: "get", key: bytesFromArgument(text, false, "key") }),
    )
    .on("option:list", () => operations.push({ kind: "list" }));
  addClientOptions(command)
    .addHelpText("after", EXAMPLES)
    .action(async (options: ClientVerbOptions) => {
      if (operations.length === 0) {
        throw new MeshkvError("INVALID_ARGUMENT", "nothing to do: give --set KEY=VALUE, --get KEY or --list");
      }
      await withClient(context, options, async (access) => {
        for (const operation of operations) await run(operation, access, context, options);
      });
    });
}

/** Splits `KEY=VALUE` at the first `=`; throws INVALID_ARGUMENT when there is none. */
export function parseSet(text: string): Operation {
  const equals = text.indexOf("=");
  if (equals < 0) {
    throw new MeshkvError("INVALID_ARGUMENT", `--set: no = in ${JSON.stringify(text)}: write KEY=VALUE`);
  }
  const key = bytesFromArgument(text.slice(0, equals), false, "key");
  return { kind: "set", key, value: bytesFromArgument(text.slice(equals + 1), false, "value") };
}

async function run(
  operation: Operation,
  { keys, call }: MeshAccess,
  context: CliContext,
  { json = false, verbose = false }: ClientVerbOptions,
): Promise<void> {
  const { terminal } = context;
  let address = "";
  const options = { ...call, onAnswer: (answering: string) => void (address = answering) };
  const tell = (text: string): void => {
    if (verbose) terminal.note(text);
  };
  switch (operation.kind) {
    case "set": {
      const { key, value } = operation;
      const { version } = await keys.set(key, value, options);
      tell(`set ${quoteBytes(key)} at ${address}: version ${version}`);
      if (json)
        await terminal.writeJson({ operation: "set", key: utf8TextOf(key), encoding: "utf8", version });
      return;
    }
    case "get": {
      const { key } = operation;
      const entry = await keys.get(key, options);
      if (entry === undefined) {
        terminal.note(`meshkv: there is no key ${quoteBytes(key)} at ${address}`);
        context.exitCode = exitCodeOf("NOT_FOUND");
        return;
      }
      tell(`get ${quoteBytes(key)} at ${address}: version ${entry.version}`);
      await terminal.write(`${lineOf("get", entry, json)}\n`);
      return;
    }
    case "list": {
      const entries = keys.list(options);
      const count = await writeLines(terminal, entries, (entry) => lineOf("list", entry, json));
      tell(`list at ${address}: ${count === 1 ? "1 key" : `${count} keys`}`);
    }
  }
}

function lineOf(operation: Operation["kind"], entry: Entry<Uint8Array>, json: boolean): string {
  if (json) return JSON.stringify({ operation, ...entryToJson(entry, FORMAT) });
  return `${lineTextOf(entry.keyBytes)}=${lineTextOf(entry.value)}`;
}
