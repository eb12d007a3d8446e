import { KeyValue, type ListConflictsResponse_Conflict, MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument, quoteBytes } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withConnection } from "../client-options.ts";
import { addConcernOption, concernOf, type ConcernOptions } from "../concern-option.ts";
import { conflictLines, conflictToJson } from "../conflict-output.ts";
import type { Connection } from "../connection.ts";
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
      await withConnection(context, options, async (connection) => {
        const bytes = bytesFromArgument(prefix ?? "", options.base64 === true, "prefix");
        for await (const page of listConflicts(connection, bytes, options)) {
          await print(context, page, options);
        }
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
      await withConnection(context, options, async (connection) => {
        const key = bytesFromArgument(keyText, options.base64 === true, "key");
        const found = await conflictOf(connection, key, options);
        if (found === undefined)
          throw new MeshkvError("NOT_FOUND", `there is no conflict of the key ${quoteBytes(key)}`);
        await print(context, [found], options);
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
      await withConnection(context, options, async (connection) => {
        const key = bytesFromArgument(keyText, options.base64 === true, "key");
        const request = { key, version, ...concernOf(options) };
        const reply = await connection.call(KeyValue.method.restoreConflict, request, "write");
        if (options.json === true)
          await context.terminal.writeJson({ restored: version, version: reply.version });
        else await context.terminal.write(`restored ${version} as ${reply.version}\n`);
      });
    });
}

async function* listConflicts(
  connection: Connection,
  prefix: Uint8Array,
  { settled = false }: ConflictOptions,
): AsyncGenerator<readonly ListConflictsResponse_Conflict[]> {
  for (let pageToken = ""; ; ) {
    const request = { prefix, pageToken, includeSettled: settled };
    const page = await connection.call(KeyValue.method.listConflicts, request, "read");
    yield page.conflicts;
    if (page.nextPageToken === "") return;
    pageToken = page.nextPageToken;
  }
}

/** A key is the first one under itself as a prefix. */
async function conflictOf(
  connection: Connection,
  key: Uint8Array,
  { settled = false }: ConflictOptions,
): Promise<ListConflictsResponse_Conflict | undefined> {
  const request = { prefix: key, pageSize: 1, includeSettled: settled };
  const { conflicts } = await connection.call(KeyValue.method.listConflicts, request, "read");
  const [found] = conflicts;
  const foundKey = (found?.winner ?? found?.losers[0])?.key;
  return foundKey?.length === key.length ? found : undefined;
}

async function print(
  { terminal }: CliContext,
  conflicts: readonly ListConflictsResponse_Conflict[],
  { json = false, base64 = false }: ConflictOptions,
): Promise<void> {
  const lines = conflicts.flatMap((conflict) =>
    json ? [JSON.stringify(conflictToJson(conflict, base64))] : conflictLines(conflict, base64),
  );
  await terminal.write(lines.map((line) => `${line}\n`).join(""));
}
