/** The life of a server process: start, introduce itself, wait until it is told to end, end in order. */
import { setFlagsFromString } from "node:v8";
import { MeshkvError } from "@meshkv/protocol";
import { type LoadedConfig, type RunningServer, startServer } from "@meshkv/server";
import type { CliContext } from "./cli-context.ts";
import { PersonLog } from "./person-log.ts";
import { serverIntroduction } from "./server-introduction.ts";
import { aborted } from "./stop-request.ts";

/** Process managers give ten seconds before they kill; what is not on disk by then was never acknowledged. */
const STOP_MS_MAX = 9000;

/** Serves until it is told to stop; throws MeshkvError when it cannot start, or cannot go on. */
export async function runServer({ config, warnings }: LoadedConfig, context: CliContext): Promise<void> {
  const { terminal, stop, supervisor } = context;
  keepNewObjectsYoung();
  for (const warning of warnings) terminal.note(terminal.colors.yellow(`meshkv: warning: ${warning}`));
  // `meshkv dev` shows what its servers write to a person.
  const isForPerson = terminal.isPersonReading || supervisor !== undefined;
  const server = await startServer(config, isForPerson ? new PersonLog(terminal, config.verbose) : undefined);
  const ends = [stop.polite, ...(supervisor === undefined ? [] : [supervisor.gone])];
  const end = AbortSignal.any(ends);
  if (supervisor === undefined) terminal.note(await serverIntroduction(server, config, end, terminal.colors));
  else {
    const { address, httpAddress, replicaId } = server;
    supervisor.announce({ kind: "ready", address, httpAddress, replicaId });
  }
  const failure = await Promise.race([server.failed, aborted(end)]);
  if (failure === undefined && supervisor === undefined) terminal.note("meshkv: stopping");
  try {
    await stopInTime(server);
  } catch (error) {
    throw failure ?? error;
  }
  if (failure !== undefined) throw failure;
}

/**
 * What a write needs lives through a collection or two, until its group is on disk. V8 may take that for a long life, and
 * from then on makes such objects in the old space, where they keep what they lead to until a full collection: whether a
 * server did so was chance, and cost a third of all processor time under load.
 */
function keepNewObjectsYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}

async function stopInTime(server: RunningServer): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), STOP_MS_MAX);
  });
  try {
    if ((await Promise.race([server.stop(), late])) === "late") {
      throw new MeshkvError(
        "INTERNAL",
        `the server did not stop within ${STOP_MS_MAX / 1000} s: ended at once`,
      );
    }
  } finally {
    clearTimeout(timer);
  }
}
