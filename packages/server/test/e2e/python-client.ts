/** Runs the client in Python against a server, where Python can do gRPC. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The system's Python: one of a version manager seldom has gRPC. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("python-client.py", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const BUF = `${ROOT}node_modules/.bin/buf`;

/** Why the client cannot run here; undefined when it can. */
export function whyNoPython(): string | undefined {
  const python = spawnSync(PYTHON, ["-c", "import grpc, google.protobuf"], { encoding: "utf8" });
  if (python.status !== 0) return `${PYTHON} cannot import grpc and google.protobuf (Debian: python3-grpcio)`;
  if (spawnSync(BUF, ["--version"]).status !== 0) return "buf does not run here";
  return undefined;
}

/** Makes the descriptor set of all definitions, and of what they import. */
export function buildImage(path: string): void {
  const { status, stderr } = spawnSync(BUF, ["build", "-o", path], {
    cwd: `${ROOT}packages/protocol`,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`buf build failed: ${stderr}`);
}

/** Runs every check against the server at `address` (`host:port`). Resolves to what it printed; rejects when one fails. */
export function runPythonClient(address: string, imagePath: string): Promise<string> {
  const child = spawn(PYTHON, [SCRIPT, address, imagePath], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`the client in Python ended with ${code}: ${output}`));
    });
  });
}
