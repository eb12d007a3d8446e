import type { LoadedConfig, Settings } from "@meshkv/server";
import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";

/** The flags of `meshkv server`: settings under their own names, and two that are not settings. */
interface ServerOptions extends Omit<Settings, "listen" | "peers" | "httpOrigins"> {
  readonly ip?: string;
  readonly listen?: string;
  readonly httpOrigin?: string[];
  readonly config?: string;
  readonly printConfig?: boolean;
}

const EXAMPLES = `
Settings are taken from flags, then MESHKV_* in the environment, then the config file, then the defaults; --print-config
shows which. A config file is one JSON object: {"listen": "127.0.0.1:4000", "peers": ["127.0.0.1:4001"]}.
Peers may be down: they join when they come. Ctrl-C stops the server.

Examples:
  meshkv server
  meshkv server --ip 127.0.0.1:4000 -v 127.0.0.1:4001 127.0.0.1:4002
  meshkv server --ip 127.0.0.1:4001 127.0.0.1:4000
  meshkv server --ip 0.0.0.0:4000 --insecure --advertise kv1.example.org:4000 --data /var/lib/meshkv
  meshkv server --http off
  meshkv server --memory --print-config`;

/** Adds `meshkv server`. */
export function addServerCommand(program: Command, context: CliContext): void {
  const command = program
    .command("server [peers...]")
    .summary("run a replica")
    .description("Runs a replica. Peers are the addresses of other replicas of its mesh.")
    .option("--ip <host:port>", "address to serve on (default: 127.0.0.1:4000)")
    .addOption(new Option("--listen <host:port>", "the same as --ip").conflicts("ip"))
    .option(
      "--http <address>",
      "where HTTP is served: host:port, a port, or off (default: port of --ip + 4000)",
    )
    .option("--data <directory>", "where the data is kept (default: meshkv-data/PORT)")
    .option("--memory", "keep everything in memory, and lose it at the end")
    .option("--advertise <host:port>", "address that others are told to dial (default: the one of --ip)")
    .option("--mesh <name>", "only replicas of one name form a mesh (default: default)")
    .option(
      "--durability <level>",
      "what an acknowledged write is by default: local (on disk) or relaxed (default: local)",
    )
    .option("--insecure", "allow listening beyond this machine, without encryption")
    .option("-v, --verbose", "tell in detail what happens")
    .option("--config <file>", "take settings from a JSON file (environment: MESHKV_CONFIG)")
    .option("--print-config", "print every setting with its source, and end");
  const operations = [
    new Option(
      "--http-origin <origins...>",
      "origins whose pages may write over HTTP, such as https://a.example",
    ),
    new Option("--value-max <size>", "greatest value, 1B to 64MiB (default: 1MiB)"),
    new Option("--member-timeout <duration>", "remove members that are silent for longer (default: 7d)"),
    new Option("--log-budget <size>", "remove members for whom more log must be kept (default: 4GiB)"),
    new Option("--conflict-retention <duration>", "keep losing writes for this long (default: 1d)"),
    new Option(
      "--history <age,size>",
      "keep log for watchers: an age, a size, both, or off (default: 1h,256MiB)",
    ),
    new Option("--max-clock-drift <duration>", "refuse peers whose clock is further ahead (default: 1m)"),
  ];
  for (const option of operations) command.addOption(option.helpGroup("Operations:"));
  command.addHelpText("after", EXAMPLES).action(async (peers: string[], options: ServerOptions) => {
    const { ip, listen, httpOrigin, config: configFile, printConfig, ...settings } = options;
    const address = ip ?? listen;
    const flags = {
      ...settings,
      ...(address === undefined ? {} : { listen: address }),
      ...(httpOrigin === undefined ? {} : { httpOrigins: httpOrigin }),
      ...(peers.length === 0 ? {} : { peers }),
    };
    // Loaded only here: no other verb waits for all that a server is made of.
    const { loadConfig } = await import("@meshkv/server");
    const { runServer } = await import("../run-server.ts");
    const loaded = await loadConfig({ flags, configFile, environment: context.terminal.environment });
    if (printConfig === true) await printSettings(loaded, context);
    else await runServer(loaded, context);
  });
}

/** One line for each setting: its name, its value as the config file would write it, and its source. */
async function printSettings({ settings }: LoadedConfig, { terminal }: CliContext): Promise<void> {
  const width = Math.max(...settings.map(({ name }) => name.length));
  const lines = settings.map(
    ({ name, value, source }) => `${name.padEnd(width)} = ${JSON.stringify(value ?? null)}  # ${source}\n`,
  );
  await terminal.write(lines.join(""));
}
