import { setTimeout as sleep } from "node:timers/promises";
import { KeyValue, MeshkvError, type MessageInitShape, type WatchRequestSchema } from "@meshkv/protocol";
import type { Command } from "commander";
import { bytesFromArgument } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withConnection } from "../client-options.ts";
import type { Connection } from "../connection.ts";
import { eventLine } from "../watch-output.ts";

interface WatchOptions extends ClientOptions {
  readonly prefix?: string;
  readonly initial?: boolean;
  readonly previous?: boolean;
  readonly resume?: string;
  readonly base64?: boolean;
}

/** Pauses between attempts to go on, in milliseconds. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2000;
/** With these another replica, or the same one later, may go on where the watch stopped. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "SESSION_NOT_MET", "OVERLOADED"]);

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
      await withConnection(context, options, (connection) => watch(connection, target, options, context));
    });
}

type Target = MessageInitShape<typeof WatchRequestSchema>["target"] & object;

function targetOf(key: string | undefined, { prefix, base64 }: WatchOptions): Target {
  if ((key === undefined) === (prefix === undefined))
    throw new MeshkvError("INVALID_ARGUMENT", 'name a key, or --prefix (--prefix "" for every key)');
  if (key !== undefined) return { case: "key", value: bytesFromArgument(key, base64 === true, "key") };
  return { case: "prefix", value: bytesFromArgument(prefix ?? "", base64 === true, "--prefix") };
}

/** Goes on, at one replica after the other, until it is told to stop or there would be a gap. */
async function watch(
  connection: Connection,
  target: Target,
  options: WatchOptions,
  context: CliContext,
): Promise<void> {
  const { terminal, stop } = context;
  const format = { json: options.json === true, base64: options.base64 === true };
  let resume = options.resume ?? "";
  let pauseMs = 0;
  let hasBegun = false;
  for (;;) {
    const request = {
      target,
      resume,
      initial: options.initial === true && resume === "",
      previous: options.previous === true,
    };
    try {
      for await (const reply of connection.stream(KeyValue.method.watch, request)) {
        hasBegun = true;
        pauseMs = 0;
        const lines = reply.events.map((event, index) =>
          eventLine(event, format, index === reply.events.length - 1 ? reply.resume : undefined),
        );
        if (reply.synced && format.json) lines.push(JSON.stringify({ type: "synced", resume: reply.resume }));
        if (lines.length > 0) await terminal.write(`${lines.join("\n")}\n`);
        resume = reply.resume;
      }
    } catch (error) {
      const isPassing = error instanceof MeshkvError && PASSING.has(error.code) && !stop.polite.aborted;
      // Before the first reply an address may simply be wrong.
      if (!isPassing || (!hasBegun && error.code === "UNAVAILABLE")) throw error;
      if (pauseMs === 0) terminal.note(`meshkv: ${error.message}; going on from there`);
    }
    connection.preferNext();
    pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, pauseMs * 2));
    await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: stop.polite }).catch(
      () => undefined,
    );
  }
}
