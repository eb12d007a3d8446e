import { Command, CommanderError } from "commander";
import type { CliContext } from "./cli-context.ts";
import { addClientCommand } from "./commands/client.ts";
import { addConflictsCommand } from "./commands/conflicts.ts";
import { addDelCommand } from "./commands/del.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addFsckCommand } from "./commands/fsck.ts";
import { addGetCommand } from "./commands/get.ts";
import { addListCommand } from "./commands/list.ts";
import { addMembersCommand } from "./commands/members.ts";
import { addServerCommand } from "./commands/server.ts";
import { addSetCommand } from "./commands/set.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addWatchCommand } from "./commands/watch.ts";
import { explainFailure, failureLines } from "./failure.ts";
import { packageVersion } from "./package-version.ts";
import { OutputClosedError } from "./terminal.ts";

const USAGE_EXIT_CODE = 2;
/** Characters in a line of help where there is no terminal to ask. */
const HELP_WIDTH = 100;

const EXAMPLES = `
Examples:
  meshkv dev                                             three replicas on this machine, in one terminal
  meshkv set greeting hello
  meshkv get greeting --ip 127.0.0.1:4002
  meshkv server --ip 127.0.0.1:4000 -v 127.0.0.1:4001 127.0.0.1:4002

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 a condition does not hold, 5 not reachable or not in time,
6 a watch would have a gap, 130 interrupted. Data goes to standard output, everything else to standard error.`;

/** Runs one command line (without the names of Node and script); returns the exit code. Never throws. */
export async function runProgram(args: readonly string[], context: CliContext): Promise<number> {
  try {
    await buildProgram(context).parseAsync([...args], { from: "user" });
    await context.terminal.flush();
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      await context.terminal.flush();
      return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    }
    if (error instanceof OutputClosedError) return 0;
    await context.terminal.flush();
    return reportFailure(error, context);
  }
}

function buildProgram(context: CliContext): Command {
  const { terminal } = context;
  const program = new Command("meshkv")
    .description("meshkv: a distributed key-value store in which every replica takes writes.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help on a command")
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("Run the command with --help to see how it is used.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        // Help and version are short: nothing waits for them but the flush at the end.
        terminal.write(text).catch(() => undefined);
      },
      getOutHelpWidth: () => terminal.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => terminal.columns ?? HELP_WIDTH,
      writeErr: (text) => terminal.note(text.replace(/\n$/, "")),
      outputError: (text, write) => write(text.replace(/^error: /, "meshkv: ")),
    });
  const groups: readonly (readonly [
    heading: string,
    ...adders: ((program: Command, context: CliContext) => void)[],
  ])[] = [
    ["Servers:", addServerCommand, addDevCommand],
    [
      "Data:",
      addGetCommand,
      addSetCommand,
      addDelCommand,
      addListCommand,
      addWatchCommand,
      addConflictsCommand,
      addClientCommand,
    ],
    ["Mesh:", addStatusCommand, addMembersCommand, addVerifyCommand, addFsckCommand],
  ];
  for (const [heading, ...adders] of groups) {
    program.commandsGroup(heading);
    for (const add of adders) add(program, context);
  }
  return program;
}

function reportFailure(error: unknown, { terminal, stop, wantsJson }: CliContext): number {
  const failure = explainFailure(error);
  if (failure.code === "CANCELLED" && stop.polite.aborted) return stop.exitCode;
  const { code, message, metadata, exitCode } = failure;
  if (wantsJson) terminal.note(JSON.stringify({ error: code, message, ...metadata }));
  else terminal.note(failureLines(failure));
  return exitCode;
}
