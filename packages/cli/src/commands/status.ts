import { Mesh, StatusResponseSchema, toJson } from "@meshkv/protocol";
import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { addClientOptions, type ClientOptions, withConnection } from "../client-options.ts";
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
      await withConnection(context, options, async (connection) => {
        const status = await connection.call(Mesh.method.status, {}, "read");
        const { terminal } = context;
        if (options.json === true) {
          await terminal.write(
            `${JSON.stringify(toJson(StatusResponseSchema, status, { alwaysEmitImplicit: true }))}\n`,
          );
        } else {
          await terminal.write(`${statusLines(status, Date.now()).join("\n")}\n`);
        }
      });
    });
}
