import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { base64Of, bytesFromArgument, quoteBytes } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { entryToJson } from "../entry-output.ts";
import { addSessionOption } from "../session-file.ts";

interface GetOptions extends ClientOptions {
  readonly base64?: boolean;
}

const EXAMPLES = `
Prints the value as it is; a newline follows only on a terminal. Exit code 3: there is no such key.

Examples:
  meshkv get greeting
  meshkv get photos/cat.jpg > cat.jpg
  meshkv get greeting --json
  meshkv get greeting --session-file ~/.meshkv-session
  meshkv get greeting --ip 127.0.0.1:4001 --ip 127.0.0.1:4002`;

/** Adds `meshkv get KEY`. */
export function addGetCommand(program: Command, context: CliContext): void {
  const command = program
    .command("get <key>")
    .summary("print the value of a key")
    .description("Prints the value of a key.");
  addClientOptions(addSessionOption(addBase64Option(command)))
    .addHelpText("after", EXAMPLES)
    .action(async (keyText: string, options: GetOptions) => {
      await withClient(context, options, async ({ keys, call }) => {
        const base64 = options.base64 === true;
        const key = bytesFromArgument(keyText, base64, "key");
        const entry = await keys.get(key, call);
        if (entry === undefined) throw new MeshkvError("NOT_FOUND", `there is no key ${quoteBytes(key)}`);
        const { terminal } = context;
        if (options.json === true)
          await terminal.writeJson(entryToJson(entry, { json: true, base64, keysOnly: false }));
        else if (base64) await terminal.write(`${base64Of(entry.value)}\n`);
        else {
          await terminal.write(entry.value);
          if (terminal.isInteractive) await terminal.write("\n");
        }
      });
    });
}
