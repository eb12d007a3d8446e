/** The life of a server process, with a stand-in for the server itself. */
import type * as ServerModule from "@meshkv/server";
import { MeshkvError } from "@meshkv/protocol";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { StopRequest } from "../src/stop-request.ts";
import type { ReadyMessage } from "../src/supervisor.ts";
import { runCli } from "./run-cli.ts";

const startServer = vi.hoisted(() => vi.fn<typeof ServerModule.startServer>());

vi.mock(import("@meshkv/server"), async (importOriginal) => ({ ...(await importOriginal()), startServer }));

const ADDRESS = "127.0.0.1:4711";
const HTTP = "127.0.0.1:8711";

let stops: number;
let fail: (error: MeshkvError) => void;

beforeEach(() => {
  stops = 0;
  startServer.mockReset().mockImplementation(async () => ({
    address: ADDRESS,
    httpAddress: HTTP,
    replicaId: "00000000000000aa",
    failed: new Promise<MeshkvError>((resolve) => {
      fail = resolve;
    }),
    stop: async () => {
      stops += 1;
    },
    status: () => {
      throw new Error("not needed");
    },
    members: () => [memberAt("127.0.0.1:4002", "connected"), memberAt("127.0.0.1:4001", "unreachable")],
  }));
});

function memberAt(address: string, state: ServerModule.MemberReport["state"]): ServerModule.MemberReport {
  const unknown = {
    lagMs: undefined,
    lagRecords: undefined,
    lastSeenMs: undefined,
    clockOffsetMs: undefined,
  };
  const replicaId = "00000000000000bb" as ServerModule.MemberReport["replicaId"];
  return { replicaId, address, state, holdsHorizon: false, successor: undefined, ...unknown };
}

/** A request to stop, made as soon as the output contains the text. */
function stopAfter(text: string, stop: StopRequest): (output: string) => void {
  return (output) => {
    if (output.includes(text)) stop.request("SIGINT", 0);
  };
}

describe("server", () => {
  it("introduces itself on standard error, serves, and stops when told to", async () => {
    const stop = new StopRequest();
    const args = [
      "server",
      "--ip",
      "127.0.0.1:4711",
      "--data",
      "/tmp/d",
      "-v",
      "127.0.0.1:4001",
      "127.0.0.1:4002",
    ];
    const { exitCode, stdout, stderr } = await runCli(args, { stop, onError: stopAfter("is up", stop) });
    expect({ exitCode, stdout, stops }).toEqual({ exitCode: 0, stdout: "", stops: 1 });
    expect(stderr).toMatch(/^meshkv \d+\.\d+\.\d+ is up\. Ctrl-C stops it\.\n/);
    const lines = stderr.split("\n").slice(1);
    expect(lines).toEqual([
      `  gRPC     ${ADDRESS}`,
      `  HTTP     http://${HTTP}/docs  to try every call from a browser`,
      "  data     /tmp/d",
      "  mesh     default",
      "  replica  00000000000000aa",
      "  peers    127.0.0.1:4001  not connected yet: joins when it comes",
      "           127.0.0.1:4002  connected",
      `  try      npx meshkv set greeting hello --ip ${ADDRESS}`,
      `           npx meshkv get greeting --ip ${ADDRESS}`,
      `           curl http://${HTTP}/v1/kv/greeting`,
      "meshkv: stopping",
      "",
    ]);
    expect(startServer.mock.calls[0]?.[0]).toMatchObject({
      listen: { host: "127.0.0.1", port: 4711 },
      peers: [{ port: 4001 }, { port: 4002 }],
      verbose: true,
    });
  });

  it("warns of what is dangerous", async () => {
    const stop = new StopRequest();
    const args = ["server", "--ip", "0.0.0.0:4711", "--insecure", "--memory"];
    const { stderr } = await runCli(args, { stop, onError: stopAfter("is up", stop) });
    expect(stderr).toContain(
      "meshkv: warning: whoever can reach 0.0.0.0:4711 or 0.0.0.0:8711 can read and change everything",
    );
    expect(stderr).toContain("meshkv: warning: everything is kept in memory");
    expect(stderr).toContain("peers    none named");
  });

  it("colours only a terminal that wants colours", async () => {
    const run = async (isTerminal: boolean, environment: Record<string, string>): Promise<string> => {
      const stop = new StopRequest();
      const options = { stop, isTerminal, environment, onError: stopAfter("is up", stop) };
      return (await runCli(["server", "--memory"], options)).stderr;
    };
    expect(await run(true, {})).toContain("\u001b[");
    expect(await run(true, { NO_COLOR: "1" })).not.toContain("\u001b[");
    expect(await run(true, { TERM: "dumb" })).not.toContain("\u001b[");
    expect(await run(false, {})).not.toContain("\u001b[");
  });

  it.each([
    ["ADDRESS_IN_USE", "127.0.0.1:4000 is in use by another program"],
    ["DIRECTORY_LOCKED", "/data is in use by another server"],
    ["STORAGE_FULL", "the disk is full"],
  ] as const)("says why it cannot start: %s", async (code, message) => {
    startServer.mockRejectedValue(new MeshkvError(code, message));
    expect(await runCli(["server"])).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: `meshkv: ${message}\n`,
    });
  });

  it("stops and says why when it cannot go on", async () => {
    const onError = (output: string): void => {
      if (output.includes("is up")) fail(new MeshkvError("STORAGE_FAILED", "the disk has failed"));
    };
    const { exitCode, stderr } = await runCli(["server"], { onError });
    expect({ exitCode, stops }).toEqual({ exitCode: 1, stops: 1 });
    expect(stderr.endsWith("meshkv: the disk has failed\n")).toBe(true);
  });

  it("shows where it happened when the fault is ours", async () => {
    startServer.mockRejectedValue(new TypeError("undefined is no function"));
    const { exitCode, stderr } = await runCli(["server"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^meshkv: a fault in meshkv itself: TypeError: undefined is no function\n {4}at /);
  });

  it("tells its supervisor instead of a person, and ends with it", async () => {
    const gone = new AbortController();
    const announced: ReadyMessage[] = [];
    const supervisor = {
      gone: gone.signal,
      announce: (message: ReadyMessage): void => {
        announced.push(message);
        gone.abort();
      },
    };
    const { exitCode, stderr } = await runCli(["server"], { supervisor });
    expect({ exitCode, stderr, stops }).toEqual({ exitCode: 0, stderr: "", stops: 1 });
    expect(announced).toEqual([
      { kind: "ready", address: ADDRESS, httpAddress: HTTP, replicaId: "00000000000000aa" },
    ]);
  });

  it("ends in order when it is told to while it starts", async () => {
    const stop = new StopRequest();
    stop.request("SIGTERM", 0);
    expect(await runCli(["server"], { stop })).toMatchObject({ exitCode: 0 });
    expect(stops).toBe(1);
  });
});
