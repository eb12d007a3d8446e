import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { memberToJson } from "../mesh-json.ts";
import { memberLines } from "../mesh-output.ts";

interface RemoveOptions extends ClientOptions {
  readonly force?: boolean;
}

const EXAMPLES = `
LACKS: how many writes of the replica that answers the member has not confirmed, and the age of the oldest. With --json:
one meshkv.v1.Member a line, in the JSON form of protocol buffers.

Examples:
  meshkv members
  meshkv members --json --ip 127.0.0.1:4001`;

const REMOVE_EXAMPLES = `
Removal is final: when the replica comes back, it offers the writes that the others lack and joins under a new id. Its
writes are fetched before it goes, from whoever has most of them; --force goes on when somebody cannot be asked.

Examples:
  meshkv members remove 3f1c9a5be0d24c77
  meshkv members remove 3f1c9a5be0d24c77 --force`;

/** Adds `meshkv members` and `meshkv members remove ID`. */
export function addMembersCommand(program: Command, context: CliContext): void {
  const members = program
    .command("members")
    .summary("list the replicas of the mesh, or remove one")
    .description("Lists the replicas of the mesh.")
    // The flags of `members remove` belong to `remove`.
    .enablePositionalOptions();
  addClientOptions(members)
    .addHelpText("after", EXAMPLES)
    .action(async (options: ClientOptions) => {
      await withClient(context, options, async ({ kv, call }) => {
        const found = await kv.members(call);
        const lines =
          options.json === true
            ? found.map((member) => JSON.stringify(memberToJson(member)))
            : memberLines(found, Date.now());
        await context.terminal.write(lines.map((line) => `${line}\n`).join(""));
      });
    });
  const remove = members
    .command("remove <replica-id>")
    .summary("remove a member for good")
    .description("Removes a member for good, so that the others no longer wait for it.")
    .option("--force", "also when some member cannot be asked for the writes of the one that leaves");
  addClientOptions(remove)
    .addHelpText("after", REMOVE_EXAMPLES)
    .action(async (replicaId: string, _: RemoveOptions, command: Command) => {
      const options = command.optsWithGlobals<RemoveOptions>();
      await withClient(context, options, async ({ kv, call }) => {
        await kv.removeMember(replicaId, { force: options.force, ...call });
        if (options.json === true) await context.terminal.writeJson({ removed: replicaId });
        else await context.terminal.write(`removed ${replicaId}\n`);
      });
    });
}
