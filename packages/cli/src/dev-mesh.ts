/** A mesh on this machine: several servers in processes of their own, started, watched and ended together. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type MeshkvClient, type ReplicaStatus } from "@meshkv/client";
import { MeshkvError } from "@meshkv/protocol";
import { ChildServer } from "./child-server.ts";
import type { CliContext } from "./cli-context.ts";
import { findFreePorts } from "./free-ports.ts";
import { aborted } from "./stop-request.ts";
import { replicaStateText } from "./mesh-output.ts";
import { formatTable } from "./table.ts";

const HOST = "127.0.0.1";
const HTTP_PORT_STEP = 4000;
/** Where HTTP goes when the ports of gRPC leave no room above them. */
const HTTP_PORT_LOW = 8000;
const PORT_MAX = 65_535;
/** What a status may take. */
const STATUS_MS_MAX = 1000;
const POLL_MS = 100;
/** After this many polls without one mesh, and again after as many, it is said what is missing. */
const POLLS_UNTIL_NOTE = 100;
/** A little more than a server takes at most to end in order. */
const STOP_MS_MAX = 9500;

/** What the mesh consists of. */
export interface DevMeshOptions {
  readonly replicas: number;
  readonly firstPort: number;
  /** Each replica keeps its data in a folder of this one, named by its number; undefined: in memory. */
  readonly data: string | undefined;
  readonly verbose: boolean;
}

interface Replica {
  readonly number: number;
  readonly port: number;
  readonly httpPort: number;
  readonly address: string;
  /** Undefined: in memory. */
  readonly data: string | undefined;
  readonly args: readonly string[];
  readonly server: ChildServer;
}

/** Runs the mesh until it is told to stop. Throws when every replica has ended by itself. */
export async function runDevMesh(options: DevMeshOptions, context: CliContext): Promise<void> {
  const { terminal, stop } = context;
  const { free, taken } = await findFreePorts(options.replicas, options.firstPort);
  const http = await findFreePorts(options.replicas, httpPortBeside(free.at(-1) ?? 0, free[0] ?? 0));
  if (taken.length > 0) {
    const ports = taken.length === 1 ? `port ${taken[0]} is` : `ports ${taken.join(", ")} are`;
    terminal.note(`meshkv: ${ports} taken by something else; using ${free.join(", ")}`);
  }
  terminal.note(`meshkv: starting ${options.replicas === 1 ? "1 replica" : `${options.replicas} replicas`}`);
  const replicas = free.map((port, index) =>
    startReplica(index + 1, { port, httpPort: http.free[index] ?? 0 }, free, options, context),
  );
  const living = new Set(replicas);
  const watch = new AbortController();
  stop.polite.addEventListener("abort", () => watch.abort(), { once: true });
  stop.forced.addEventListener("abort", () => {
    for (const { server } of living) server.kill();
  });
  const allEnded = Promise.all(
    replicas.map(async (replica) => {
      const how = await replica.server.ended;
      living.delete(replica);
      if (!stop.polite.aborted) terminal.note(deathNotice(replica, how, living.size));
    }),
  );
  const announced = announceMesh(living, context, watch.signal);
  await Promise.race([aborted(stop.polite), allEnded]);
  watch.abort();
  await announced;
  if (!stop.polite.aborted) throw new MeshkvError("INTERNAL", "every replica has ended");
  terminal.note("meshkv: stopping");
  for (const { server } of living) server.stop();
  const late = await Promise.race([allEnded, sleep(STOP_MS_MAX, "late", { ref: false })]);
  if (late !== "late") return;
  for (const { number, server } of living) {
    terminal.note(`meshkv: replica ${number} did not stop in time: ended at once`);
    server.kill();
  }
  context.exitCode = 1;
}

/** Where the ports of HTTP begin: as far above the first port as a server would put it, but above all others too. */
function httpPortBeside(last: number, first: number): number {
  const usual = first + HTTP_PORT_STEP;
  const port = usual > last ? usual : last + 1;
  return port + (last - first) <= PORT_MAX ? port : HTTP_PORT_LOW;
}

function startReplica(
  number: number,
  { port, httpPort }: { readonly port: number; readonly httpPort: number },
  ports: readonly number[],
  { data: folder, verbose }: DevMeshOptions,
  { terminal }: CliContext,
): Replica {
  const data = folder === undefined ? undefined : join(folder, String(number));
  const address = `${HOST}:${port}`;
  const args = [
    "server",
    "--ip",
    address,
    "--http",
    `${HOST}:${httpPort}`,
    ...(data === undefined ? ["--memory"] : ["--data", data]),
    ...(verbose ? ["-v"] : []),
    ...ports.filter((other) => other !== port).map((other) => `${HOST}:${other}`),
  ];
  const paint = [terminal.colors.cyan, terminal.colors.magenta, terminal.colors.blue][number % 3] ?? String;
  const onLine = (line: string): void => terminal.note(`${paint(`[${number}]`)} ${line}`);
  return { number, port, httpPort, address, data, args, server: new ChildServer({ args, onLine }) };
}

function deathNotice({ number, address, args }: Replica, how: string, left: number): string {
  const others = left === 0 ? "" : "; the others go on. To start it again, in another terminal:";
  const again = left === 0 ? "" : `\n  npx meshkv ${args.map(shellWord).join(" ")}`;
  return `meshkv: replica ${number} (${address}) ${how}${others}${again}`;
}

/** Waits until the replicas are up and have met, and says what can be done now. */
async function announceMesh(
  replicas: ReadonlySet<Replica>,
  context: CliContext,
  signal: AbortSignal,
): Promise<void> {
  const clients = new Map<Replica, MeshkvClient>();
  const statusOf = async (replica: Replica): Promise<ReplicaStatus | undefined> => {
    const known = clients.get(replica);
    const kv = known ?? (await connect(replica.address, { discover: false, lazy: true, retries: false }));
    clients.set(replica, kv);
    return kv.status({ timeout: STATUS_MS_MAX, signal }).catch(() => undefined);
  };
  try {
    await Promise.race([Promise.all([...replicas].map(({ server }) => server.ready)), aborted(signal)]);
    for (let polls = 1; !signal.aborted; polls += 1) {
      const found = new Map<Replica, ReplicaStatus | undefined>();
      for (const replica of replicas) found.set(replica, await statusOf(replica));
      if (isOneMesh([...found.values()])) {
        context.terminal.note(meshIntroduction(found, context));
        return;
      }
      if (polls % POLLS_UNTIL_NOTE === 0) context.terminal.note(waitingNote(found));
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    for (const kv of clients.values()) await kv.close();
  }
}

/** Whether all are ready, have one mesh id, and each is connected to all others. */
export function isOneMesh(statuses: readonly (ReplicaStatus | undefined)[]): boolean {
  const known = statuses.filter((status) => status !== undefined);
  if (known.length === 0 || known.length < statuses.length) return false;
  const ids = known.map(({ replicaId }) => replicaId);
  return known.every((status) => {
    const reached = status.members
      .filter(({ state }) => state === "connected" || state === "self")
      .map(({ replicaId }) => replicaId);
    return (
      status.state === "ready" &&
      status.meshId !== undefined &&
      status.meshId === known[0]?.meshId &&
      ids.every((id) => reached.includes(id))
    );
  });
}

function waitingNote(found: ReadonlyMap<Replica, ReplicaStatus | undefined>): string {
  const states = Array.from(found, ([{ number }, status]) => {
    const state = status === undefined ? "does not answer" : replicaStateText(status.state);
    return `replica ${number}: ${state}`;
  });
  return `meshkv: still waiting until the replicas have met (${states.join(", ")})`;
}

function meshIntroduction(
  found: ReadonlyMap<Replica, ReplicaStatus | undefined>,
  { terminal }: CliContext,
): string {
  const replicas = [...found.keys()];
  const rows = Array.from(found, ([replica, status]) => [
    `[${replica.number}]`,
    replica.address,
    `http://${HOST}:${replica.httpPort}`,
    status?.replicaId ?? "",
    replica.data ?? "in memory only",
  ]);
  const first = replicas[0]?.address ?? "";
  const last = replicas.at(-1)?.address ?? first;
  const flag = first === `${HOST}:4000` ? "" : ` --ip ${first}`;
  const head = replicas.length === 1 ? "A replica is up" : `A mesh of ${replicas.length} replicas is up`;
  return [
    "",
    terminal.colors.bold(`${head}. Ctrl-C stops it.`),
    ...formatTable(rows).map((line) => `  ${line}`),
    "",
    "Write on one, read on another; in another terminal:",
    `  npx meshkv set greeting hello${flag}`,
    `  npx meshkv get greeting --ip ${last}`,
    `  npx meshkv list --ip ${last}`,
    `  npx meshkv members${flag}`,
    "",
    "The same over HTTP:",
    `  curl -X PUT http://${HOST}:${replicas[0]?.httpPort}/v1/kv/greeting -d hello`,
    `  curl http://${HOST}:${replicas.at(-1)?.httpPort}/v1/kv/greeting`,
    `  http://${HOST}:${replicas[0]?.httpPort}/docs shows every call, to be tried in a browser`,
    "",
  ].join("\n");
}

/** An argument as a shell reads it. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
