import { MeshkvError } from "@meshkv/protocol";
import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";
import { runDevMesh } from "../dev-mesh.ts";

const REPLICAS_MAX = 16;
const PORT_MAX = 65_535;

interface DevOptions {
  readonly replicas: string;
  readonly port: string;
  readonly data?: string;
  readonly memory?: boolean;
  readonly verbose?: boolean;
}

const EXAMPLES = `
Every replica is a process of its own that keeps its data from one run to the next. Ctrl-C stops them all.

Examples:
  meshkv dev
  meshkv dev -n 5 --memory
  meshkv dev --port 5000 --data /tmp/try-meshkv`;

/** Adds `meshkv dev`. */
export function addDevCommand(program: Command, context: CliContext): void {
  program
    .command("dev")
    .summary("run a mesh on this machine, in one terminal")
    .description("Runs a mesh of several replicas on this machine, in one terminal.")
    .addOption(new Option("-n, --replicas <count>", `how many, 1 to ${REPLICAS_MAX}`).default("3", "3"))
    .addOption(
      new Option("--port <port>", "port of the first; the others take the next free ones").default(
        "4000",
        "4000",
      ),
    )
    .option("--data <directory>", "where the data is kept (default: meshkv-data/dev)")
    .addOption(new Option("--memory", "keep everything in memory, and lose it at the end").conflicts("data"))
    .option("-v, --verbose", "tell in detail what happens")
    .addHelpText("after", EXAMPLES)
    .action(async ({ replicas, port, data, memory, verbose }: DevOptions) => {
      await runDevMesh(
        {
          replicas: wholeNumber(replicas, "-n", 1, REPLICAS_MAX),
          firstPort: wholeNumber(port, "--port", 1, PORT_MAX),
          data: memory === true ? undefined : (data ?? "meshkv-data/dev"),
          verbose: verbose === true,
        },
        context,
      );
    });
}

function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const shown = JSON.stringify(text);
  throw new MeshkvError("INVALID_ARGUMENT", `${flag}: ${shown} is no whole number from ${min} to ${max}`);
}
