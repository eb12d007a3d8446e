import type { WatchOptions as Target } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import {
  addBase64Option,
  addClientOptions,
  type ClientOptions,
  type MeshAccess,
  withClient,
} from "../client-options.ts";
import { LineWriter } from "../line-writer.ts";
import { eventLine } from "../watch-output.ts";

interface WatchOptions extends ClientOptions {
  readonly prefix?: string;
  readonly initial?: boolean;
  readonly previous?: boolean;
  readonly resume?: string;
  readonly base64?: boolean;
}

const EXAMPLES = `
Prints one line for each event: put KEY VALUE, delete KEY, expire KEY, conflict KEY WINNER LOSER. When the replica goes
away, the watch goes on at the next one that was named, or the same later, without a gap. Exit code 6: it cannot go on
without a gap; begin again, with --initial. Ctrl-C ends it (130).

With --json the last event of a group carries "resume": what to give to --resume to go on after it; the line
{"type":"synced"} says that the current state is complete.

Examples:
  meshkv watch greeting
  meshkv watch --prefix cart/ --initial
  meshkv watch --prefix "" --json --ip 127.0.0.1:4000 --ip 127.0.0.1:4001
  meshkv watch --prefix cart/ --resume AQAAAAD…`;

/** Adds `meshkv watch KEY` and `meshkv watch --prefix P`. */
export function addWatchCommand(program: Command, context: CliContext): void {
  const command = program
    .command("watch [key]")
    .summary("follow changes of a key or prefix")
    .description("Follows changes of a key, or of all keys with a prefix.")
    .option("--prefix <prefix>", "follow all keys that begin so; empty: all")
    .option("--initial", "first the current state, then changes")
    .option("--previous", "show what each change replaced")
    .option("--resume <token>", "go on where another watch stopped, on whatever replica");
  addClientOptions(addBase64Option(command))
    .addHelpText("after", EXAMPLES)
    .action(async (key: string | undefined, options: WatchOptions) => {
      const target = targetOf(key, options);
      if (options.initial === true && options.resume !== undefined)
        throw new MeshkvError("INVALID_ARGUMENT", "--initial does not go with --resume: give one of them");
      await withClient(context, options, (access) => watch(access, target, options, context));
    });
}

function targetOf(key: string | undefined, { prefix, base64 }: WatchOptions): Target {
  if ((key === undefined) === (prefix === undefined))
    throw new MeshkvError("INVALID_ARGUMENT", 'name a key, or --prefix (--prefix "" for every key)');
  if (key !== undefined) return { key: bytesFromArgument(key, base64 === true, "key") };
  return { prefix: bytesFromArgument(prefix ?? "", base64 === true, "--prefix") };
}

/** Goes on, at one replica after the other, until it is told to stop or there would be a gap. */
async function watch(
  { keys, call: { signal } }: MeshAccess,
  target: Target,
  { initial, previous, resume, json = false, base64 = false }: WatchOptions,
  { terminal }: CliContext,
): Promise<void> {
  const writer = new LineWriter(terminal);
  for await (const event of keys.watch({ ...target, initial, previous, resume, signal })) {
    if (event.type !== "synced") await writer.add(eventLine(event, { json, base64 }));
    else if (json) await writer.add(JSON.stringify({ type: "synced", resume: event.resume }));
    // The end of what came together: nothing waits for what may come later.
    if (event.resume !== undefined) await writer.flush();
  }
  // It ends by itself only when it was told to.
  throw new MeshkvError("CANCELLED", "interrupted");
}
