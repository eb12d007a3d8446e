import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";
import { formatTable } from "../table.ts";

interface FsckOptions {
  readonly json?: boolean;
}

const EXAMPLES = `
Reads every file of a data directory whose server is stopped, changes nothing, and checks everything that can be
checked: checksums, order, and that the tables agree with each other. Exit code 1: something is wrong.

Examples:
  meshkv fsck meshkv-data/4000
  meshkv fsck meshkv-data/4000 --json`;

/** Adds `meshkv fsck DIR`. */
export function addFsckCommand(program: Command, context: CliContext): void {
  program
    .command("fsck <directory>")
    .summary("check the data directory of a stopped server")
    .description("Checks the data directory of a stopped server.")
    .option("--json", "print one JSON object a line; errors too")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string, { json = false }: FsckOptions) => {
      context.wantsJson = json;
      const { fsck } = await import("@meshkv/store");
      const { findings, counts } = await fsck(directory);
      if (findings.length > 0) context.exitCode = 1;
      const { terminal } = context;
      if (json) {
        for (const { kind, message } of findings) await terminal.writeJson({ kind, message });
        await terminal.writeJson({ findings: findings.length, counts });
        return;
      }
      const rows = Object.entries(counts).map(([name, count]) => [name, String(count)]);
      const lines = [
        ...findings.map(({ kind, message }) => `${kind}: ${message}`),
        ...formatTable(rows),
        findings.length === 0
          ? `${directory} is in order`
          : `${directory}: ${findings.length === 1 ? "1 thing is" : `${findings.length} things are`} wrong`,
      ];
      await terminal.write(`${lines.join("\n")}\n`);
    });
}
