/** The process around a command line: its streams, its signals, its exit code. */
import process from "node:process";
import { runProgram } from "./program.ts";
import { StopRequest } from "./stop-request.ts";
import { findSupervisor } from "./supervisor.ts";
import { Terminal } from "./terminal.ts";

const stop = new StopRequest();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stop.request(signal, performance.now())) process.exit(stop.exitCode);
  });
}

const { stdin, stdout, stderr, env: environment } = process;
const exitCode = await runProgram(process.argv.slice(2), {
  terminal: new Terminal({ stdin, stdout, stderr, environment }),
  stop,
  supervisor: findSupervisor(),
  wantsJson: false,
  exitCode: 0,
});
process.exit(exitCode);
