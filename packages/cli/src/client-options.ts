/** What every verb that talks to a server has in common. */
import { type CallOptions, connect, type KeyValues, type MeshkvClient } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import { DEFAULT_ADDRESS, formatAddress, parseAddress, parseDuration } from "@meshkv/server/notation";
import { type Command, Option } from "commander";
import type { CliContext } from "./cli-context.ts";
import { readSessionFile, type SessionOptions, writeSessionFile } from "./session-file.ts";

const TIMEOUT_DEFAULT = "10s";
const TIMEOUT_BOUNDS = { min: 1, max: 24 * 3600 * 1000 };

/** The flags of every client verb, as commander hands them over. */
export interface ClientOptions extends SessionOptions {
  readonly ip?: readonly string[];
  readonly json?: boolean;
  readonly timeout?: string;
}

/** What a verb works with. */
export interface MeshAccess {
  readonly kv: MeshkvClient;
  /** All keys, with values that are bytes; in the session of `--session-file`, if there is one. */
  readonly keys: KeyValues<Uint8Array>;
  /** What every call is given, so that Ctrl-C ends it. */
  readonly call: CallOptions & { readonly signal: AbortSignal };
}

/** Adds `--ip`, `--json` and `--timeout`, under a heading of their own. */
export function addClientOptions(command: Command): Command {
  const group = "Connection and output:";
  const options = [
    new Option(
      "--ip <host:port>",
      `replica to ask; repeatable: the next is asked when one cannot be reached (default: ${DEFAULT_ADDRESS}, environment: MESHKV_IP)`,
    ).argParser((text, previous: readonly string[] | undefined) => [...(previous ?? []), text]),
    new Option(
      "--timeout <duration>",
      `time that a call may take (default: ${TIMEOUT_DEFAULT}, environment: MESHKV_TIMEOUT)`,
    ),
    new Option("--json", "print one JSON object a line; errors too"),
  ];
  for (const option of options) command.addOption(option.helpGroup(group));
  return command;
}

/** Adds `--base64`, for keys and values that are not UTF-8. */
export function addBase64Option(command: Command): Command {
  return command.option("--base64", "keys and values are base64, in arguments and in output");
}

/** Runs a client verb with a client, and closes it whatever happens. */
export async function withClient(
  context: CliContext,
  options: ClientOptions,
  action: (access: MeshAccess) => Promise<void>,
): Promise<void> {
  context.wantsJson = options.json === true;
  const { environment } = context.terminal;
  const { sessionFile } = options;
  const token = sessionFile === undefined ? undefined : await readSessionFile(sessionFile);
  await using kv = await connect(addressesOf(options, environment["MESHKV_IP"]), {
    timeout: timeoutOf(options, environment["MESHKV_TIMEOUT"]),
    // A command asks those that it was told to, once, and says what was wrong.
    discover: false,
    lazy: true,
    retries: false,
    onRetry: ({ message }, address) => context.terminal.note(`meshkv: ${message}; trying ${address}`),
  });
  const session = token === undefined ? undefined : kv.session(token);
  const call = { signal: context.stop.polite };
  try {
    await action({ kv, keys: session?.bytes ?? kv.bytes, call });
  } finally {
    if (sessionFile !== undefined && session !== undefined && session.token !== token) {
      await writeSessionFile(sessionFile, session.token);
    }
  }
}

function addressesOf({ ip }: ClientOptions, variable: string | undefined): string[] {
  if (ip !== undefined) return ip.map((text) => addressOf(text, "--ip"));
  const texts = (variable ?? "").split(/[\s,]+/).filter(Boolean);
  return texts.length > 0
    ? texts.map((text) => addressOf(text, "MESHKV_IP"))
    : [addressOf(DEFAULT_ADDRESS, "default")];
}

function addressOf(text: string, source: string): string {
  const result = parseAddress(text);
  if ("problem" in result) throw new MeshkvError("INVALID_ARGUMENT", `${source}: ${result.problem}`);
  if (result.address.port !== 0) return formatAddress(result.address);
  throw new MeshkvError(
    "INVALID_ARGUMENT",
    `${source}: port 0 in "${text}": name the port that the server printed`,
  );
}

function timeoutOf({ timeout }: ClientOptions, variable: string | undefined): number {
  const fromEnvironment = variable === "" ? undefined : variable;
  const source = timeout === undefined && fromEnvironment !== undefined ? "MESHKV_TIMEOUT" : "--timeout";
  const result = parseDuration(timeout ?? fromEnvironment ?? TIMEOUT_DEFAULT, TIMEOUT_BOUNDS);
  if ("problem" in result) throw new MeshkvError("INVALID_ARGUMENT", `${source}: ${result.problem}`);
  return result.value;
}
