import type { Conflict } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument, quoteBytes } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addConcernOption, concernOf, type ConcernOptions } from "../concern-option.ts";
import { conflictLines, conflictToJson } from "../conflict-output.ts";
import { writeLines } from "../line-writer.ts";
import { addSessionOption } from "../session-file.ts";

interface ConflictOptions extends ClientOptions {
  readonly base64?: boolean;
  readonly settled?: boolean;
}

const EXAMPLES = `
Of concurrent writes to one key the latest wins, on every replica alike. Those that lost are kept for a day, or as long
as the servers were told with --conflict-retention. A later write settles them; with --settled they are shown as long as
they are kept. Each block: the key, then a line for the winner and for each loser, with version, time, writer and value.

Examples:
  meshkv conflicts
  meshkv conflicts cart/
  meshkv conflicts show cart/42
  meshkv conflicts restore cart/42 0001a0b8c2f4d0003f1c9a5be0d24c77`;

const RESTORE_EXAMPLES = `
Writes the value again, with what is left of its time to live. Like any other write it wins over what is there, and
settles the key's conflicts. Exit code 3: no such loser is kept.

Examples:
  meshkv conflicts restore cart/42 0001a0b8c2f4d0003f1c9a5be0d24c77`;

/** Adds `meshkv conflicts [PREFIX]`, `meshkv conflicts show KEY` and `meshkv conflicts restore KEY VERSION`. */
export function addConflictsCommand(program: Command, context: CliContext): void {
  const conflicts = program
    .command("conflicts [prefix]")
    .summary("list, show or restore writes that lost against concurrent ones")
    .description(
      "Lists the keys of which concurrent writes have lost, all or those that begin with a prefix.",
    )
    .option("--settled", "also losers that a later write has settled, as far as this replica has met them")
    .enablePositionalOptions();
  addClientOptions(addBase64Option(conflicts))
    .addHelpText("after", EXAMPLES)
    .action(async (prefix: string | undefined, options: ConflictOptions) => {
      await withClient(context, options, async ({ keys, call }) => {
        const bytes = bytesFromArgument(prefix ?? "", options.base64 === true, "prefix");
        const conflicts = keys.conflicts({ prefix: bytes, settled: options.settled, ...call });
        await writeLines(context.terminal, conflicts, (conflict) => textOf(conflict, options));
      });
    });
  addShowCommand(conflicts, context);
  addRestoreCommand(conflicts, context);
}

function addShowCommand(conflicts: Command, context: CliContext): void {
  const show = conflicts
    .command("show <key>")
    .summary("show one key's winner and losers")
    .description("Shows one key's winner and losers. Exit code 3: the key has no losers.")
    .option("--settled", "also losers that a later write has settled");
  addClientOptions(addBase64Option(show)).action(
    async (keyText: string, _: ConflictOptions, command: Command) => {
      const options = command.optsWithGlobals<ConflictOptions>();
      await withClient(context, options, async ({ keys, call }) => {
        const key = bytesFromArgument(keyText, options.base64 === true, "key");
        const found = await keys.conflict(key, { settled: options.settled, ...call });
        if (found === undefined)
          throw new MeshkvError("NOT_FOUND", `there is no conflict of the key ${quoteBytes(key)}`);
        await context.terminal.write(`${textOf(found, options)}\n`);
      });
    },
  );
}

function addRestoreCommand(conflicts: Command, context: CliContext): void {
  const restore = conflicts
    .command("restore <key> <version>")
    .summary("write a loser's value again")
    .description("Writes a loser's value again.");
  addClientOptions(addSessionOption(addConcernOption(addBase64Option(restore))))
    .addHelpText("after", RESTORE_EXAMPLES)
    .action(async (keyText: string, version: string, _: ConflictOptions, command: Command) => {
      const options = command.optsWithGlobals<ConflictOptions & ConcernOptions>();
      await withClient(context, options, async ({ keys, call }) => {
        const key = bytesFromArgument(keyText, options.base64 === true, "key");
        const reply = await keys.restoreConflict(key, version, { ...concernOf(options), ...call });
        if (options.json === true)
          await context.terminal.writeJson({ restored: version, version: reply.version });
        else await context.terminal.write(`restored ${version} as ${reply.version}\n`);
      });
    });
}

/** A key's conflict as it is printed, without the last newline. */
function textOf(conflict: Conflict<Uint8Array>, { json = false, base64 = false }: ConflictOptions): string {
  if (json) return JSON.stringify(conflictToJson(conflict, base64));
  return conflictLines(conflict, base64).join("\n");
}
