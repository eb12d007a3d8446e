import type { StopRequest } from "./stop-request.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Terminal } from "./terminal.ts";

/** What every verb is given, and where it leaves what is not its output. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly stop: StopRequest;
  /** The `meshkv dev` that started this process, if one did. */
  readonly supervisor: Supervisor | undefined;
  /** Whether errors are written as JSON too; set by verbs that were asked for JSON. */
  wantsJson: boolean;
  /** The exit code of a verb that ended without an error. */
  exitCode: number;
}
