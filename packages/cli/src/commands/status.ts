import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { statusToJson } from "../mesh-json.ts";
import { statusLines } from "../mesh-output.ts";

const EXAMPLES = `
With --json: the message meshkv.v1.StatusResponse in the JSON form of protocol buffers.

Examples:
  meshkv status
  meshkv status --ip 127.0.0.1:4001 --json`;

/** Adds `meshkv status`. */
export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .summary("how a replica is, and what it knows of the others")
    .description("Shows how a replica is, and what it knows of the others.");
  addClientOptions(command)
    .addHelpText("after", EXAMPLES)
    .action(async (options: ClientOptions) => {
      await withClient(context, options, async ({ kv, call }) => {
        const status = await kv.status(call);
        const text =
          options.json === true
            ? JSON.stringify(statusToJson(status))
            : statusLines(status, Date.now()).join("\n");
        await context.terminal.write(`${text}\n`);
      });
    });
}
