import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { progressText, Verification, verifyJson } from "../verify-output.ts";

interface VerifyOptions extends ClientOptions {
  readonly base64?: boolean;
}

const DIFFERENT_EXIT_CODE = 1;
const INCOMPLETE_EXIT_CODE = 5;

const EXAMPLES = `
The replica that is asked reads its whole table again, checks every record, and compares it key by key with the table of
every other member, or of the one that is named by its address or id. Writes may go on meanwhile: a key counts as
different only when each side has seen what the other holds. Tombstones, expired keys and lost conflicts are not
compared.

Prints a line for each key that differs, as it is found, and then a table. TABLE: whether a replica's table is what its
writes have made of it, as its digest tells.

Exit codes: 0 all hold the same; 1 something differs or is damaged; 5 a member could not be reached or compared, or a
writer was too fast: nothing is known to be wrong.

Examples:
  meshkv verify
  meshkv verify 127.0.0.1:4001
  meshkv verify --json`;

/** Adds `meshkv verify [PEER]`. */
export function addVerifyCommand(program: Command, context: CliContext): void {
  const command = program
    .command("verify [peer]")
    .summary("prove that the replicas hold the same, or name the keys that differ")
    .description("Compares the data of the replicas, and names the keys that differ.");
  addClientOptions(addBase64Option(command))
    .addHelpText("after", EXAMPLES)
    .action(async (peer: string | undefined, options: VerifyOptions) => {
      await withClient(context, options, async ({ kv, call: { signal } }) => {
        const { terminal } = context;
        const { json = false, base64 = false } = options;
        const verification = new Verification(base64);
        for await (const event of kv.verify({ peer, signal })) {
          const line = verification.add(event);
          if (json) await terminal.writeJson(verifyJson(event, base64));
          else if (line !== undefined) await terminal.write(`${line}\n`);
          else if (terminal.isPersonReading && event.type === "progress") terminal.note(progressText(event));
        }
        if (!json) await terminal.write(`${verification.lines().join("\n")}\n`);
        if (verification.isWrong) context.exitCode = DIFFERENT_EXIT_CODE;
        else if (verification.outcomes.some((outcome) => outcome !== "equal"))
          context.exitCode = INCOMPLETE_EXIT_CODE;
      });
    });
}
