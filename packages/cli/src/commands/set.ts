import { Buffer } from "node:buffer";
import type { Condition } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import { parseDuration } from "@meshkv/server/notation";
import { type Command, Option } from "commander";
import { bytesFromArgument, bytesFromBase64 } from "../byte-text.ts";
import type { CliContext } from "../cli-context.ts";
import { addBase64Option, addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addConcernOption, concernOf, type ConcernOptions } from "../concern-option.ts";
import { readInput } from "../read-input.ts";
import { addSessionOption } from "../session-file.ts";

interface SetOptions extends ClientOptions, ConcernOptions {
  readonly base64?: boolean;
  readonly ttl?: string;
  readonly ifAbsent?: boolean;
  readonly ifVersion?: string;
}

const EXAMPLES = `
Prints OK and the version of the write. A condition is checked on the replica that is asked, and on no other: of two
concurrent writes on two replicas both can succeed, and the later one wins. Exit code 4: the condition does not hold.

Examples:
  meshkv set greeting hello
  meshkv set session/42 active --ttl 30m
  meshkv set photos/cat.jpg - < cat.jpg
  meshkv set leader me --if-absent
  meshkv set order/7 paid --concern 2 --session-file ~/.meshkv-session
  meshkv set -- -key-with-a-hyphen value`;

/** The server refuses what is out of its own range, so that there is one place that knows it. */
const TTL_BOUNDS = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Adds `meshkv set KEY VALUE`. */
export function addSetCommand(program: Command, context: CliContext): void {
  const command = program
    .command("set <key> <value>")
    .summary("write a key")
    .description("Writes a key. The value - is read from standard input.")
    .option("--ttl <duration>", "forget the key after this time, such as 60s or 7d; without it, never")
    .addOption(new Option("--if-absent", "only if there is no such key").conflicts("ifVersion"))
    .option("--if-version <version>", "only if this is the key's version");
  addClientOptions(addSessionOption(addConcernOption(addBase64Option(command))))
    .addHelpText("after", EXAMPLES)
    .action(async (keyText: string, valueText: string, options: SetOptions) => {
      await withClient(context, options, async ({ keys, call }) => {
        const base64 = options.base64 === true;
        const key = bytesFromArgument(keyText, base64, "key");
        const how = { ...ttlOf(options), ...conditionOf(options), ...concernOf(options), ...call };
        const value =
          valueText === "-"
            ? await valueFromInput(context, base64)
            : bytesFromArgument(valueText, base64, "value");
        const { version, replicas } = await keys.set(key, value, how);
        if (options.json === true) await context.terminal.writeJson({ version, replicas });
        else await context.terminal.write(`OK ${version}\n`);
      });
    });
}

async function valueFromInput({ terminal, stop }: CliContext, base64: boolean): Promise<Uint8Array> {
  const bytes = await readInput(terminal.stdin, stop.polite);
  return base64 ? bytesFromBase64(Buffer.from(bytes).toString("latin1"), "value") : bytes;
}

function ttlOf({ ttl }: SetOptions): { readonly ttl?: number } {
  if (ttl === undefined) return {};
  const result = parseDuration(ttl, TTL_BOUNDS);
  if ("problem" in result) throw new MeshkvError("INVALID_ARGUMENT", `--ttl: ${result.problem}`);
  return { ttl: result.value };
}

function conditionOf({ ifAbsent, ifVersion }: SetOptions): Condition {
  if (ifAbsent === true) return { ifAbsent };
  return ifVersion === undefined ? {} : { ifVersion };
}
