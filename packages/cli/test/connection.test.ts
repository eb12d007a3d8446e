import { createServer, type Server, type Socket } from "node:net";
import { MeshkvError } from "@meshkv/protocol";
import { freePorts } from "@meshkv/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StopRequest } from "../src/stop-request.ts";
import { FakeReplica } from "./fake-replica.ts";
import { runCli } from "./run-cli.ts";

let first: FakeReplica;
let second: FakeReplica;
const closers: (() => void)[] = [];

beforeEach(async () => {
  first = await FakeReplica.start();
  second = await FakeReplica.start();
});

afterEach(() => {
  first.stop();
  second.stop();
  for (const close of closers.splice(0)) close();
});

/** An address on which nothing listens, and nobody will. */
async function deadAddress(): Promise<string> {
  const [port = 0] = await freePorts(1);
  return `127.0.0.1:${port}`;
}

/** A server that accepts connections and does with them what it is told. */
async function rawServer(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      resolve(`127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
    });
  });
}

describe("a replica that cannot be reached", () => {
  it("is named, with what may be wrong, and exit code 5", async () => {
    const address = await deadAddress();
    const { exitCode, stdout, stderr } = await runCli(["get", "a", "--ip", address]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "" });
    expect(stderr).toContain(
      `meshkv: cannot reach ${address}: nothing listens there; is the server running?`,
    );
  });

  it("is skipped, and the next one serves", async () => {
    const dead = await deadAddress();
    second.put("a", "1");
    const { exitCode, stdout, stderr } = await runCli(["get", "a", "--ip", dead, "--ip", second.address]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "1" });
    expect(stderr).toMatch(new RegExp(`^meshkv: cannot reach ${dead}: .*; trying ${second.address}\n$`));
  });

  it("is not asked again by the next call of the same command", async () => {
    const dead = await deadAddress();
    const flags = ["--set", "a=1", "--set", "b=2", "--ip", dead, "--ip", second.address];
    const { exitCode, stderr } = await runCli(["client", ...flags]);
    expect(exitCode).toBe(0);
    expect(stderr.match(/cannot reach/g)).toHaveLength(1);
    expect(second.calls).toEqual(["Set", "Set"]);
  });

  it("is one line among all, when none can be reached", async () => {
    const dead = [await deadAddress(), await deadAddress()];
    const { exitCode, stderr } = await runCli(["status", "--ip", dead[0] ?? "", "--ip", dead[1] ?? ""]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`meshkv: no replica can serve this:\n  cannot reach ${dead[0]}`);
    expect(stderr).toContain(`\n  cannot reach ${dead[1]}`);
  });

  it("may be something else that closes the connection", async () => {
    const address = await rawServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const { exitCode, stderr } = await runCli(["get", "a", "--ip", address, "--timeout", "5s"]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain(address);
  });

  it("may have a name that does not exist", async () => {
    const { exitCode, stderr } = await runCli(["get", "a", "--ip", "no-such-host.invalid:4000"]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain("cannot reach no-such-host.invalid:4000: ");
  });
});

describe("a replica that does not answer", () => {
  it("is given up at the timeout, with exit code 5, and leaves a doubt about writes", async () => {
    first.barrier = new Promise(() => undefined);
    // Time enough to connect, on any machine.
    const flags = ["--ip", first.address, "--timeout", "5s"];
    const [read, write] = await Promise.all([
      runCli(["get", "a", ...flags]),
      runCli(["set", "a", "1", ...flags]),
    ]);
    expect([read.exitCode, write.exitCode]).toEqual([5, 5]);
    expect(read.stderr).toContain(`${first.address} did not answer in time`);
    expect(read.stderr).not.toContain("not known");
    expect(write.stderr).toContain("; it is not known whether the write was done\n");
  });

  it("is interrupted by Ctrl-C, with exit code 130 and no words", async () => {
    first.barrier = new Promise(() => undefined);
    const wasCalled = first.nextCall();
    const stop = new StopRequest();
    const running = runCli(["get", "a", "--ip", first.address], { stop });
    await wasCalled;
    stop.request("SIGINT", 0);
    expect(await running).toMatchObject({ exitCode: 130, stdout: "", stderr: "" });
  });

  it("is interrupted while connecting, too", async () => {
    let accepted = (): void => undefined;
    const wasAccepted = new Promise<void>((resolve) => {
      accepted = resolve;
    });
    const address = await rawServer(() => accepted());
    const stop = new StopRequest();
    const running = runCli(["get", "a", "--ip", address], { stop });
    await wasAccepted;
    stop.request("SIGTERM", 0);
    expect(await running).toMatchObject({ exitCode: 143 });
  });
});

describe("a replica that refuses", () => {
  it("leaves the call to the next, writes too", async () => {
    first.refusal = new MeshkvError("UNAVAILABLE", "this replica is still starting");
    const flags = ["--ip", first.address, "--ip", second.address];
    const { exitCode, stderr } = await runCli(["set", "a", "1", ...flags]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(`meshkv: this replica is still starting; trying ${second.address}\n`);
    expect([first.calls, second.calls]).toEqual([["Set"], ["Set"]]);
  });

  it.each([
    ["STORAGE_FULL", 1],
    ["INVALID_ARGUMENT", 2],
    ["TOO_LARGE", 2],
    ["CONDITION_FAILED", 4],
    ["CLOCK_SKEW", 5],
    ["OVERLOADED", 5],
    ["RESUME_TOO_OLD", 6],
    ["PERMISSION_DENIED", 7],
    ["INTERNAL", 1],
  ] as const)("%s is exit code %d", async (code, exitCode) => {
    first.refusal = new MeshkvError(code, "for a reason");
    const run = await runCli(["set", "a", "1", "--ip", first.address, "--json"]);
    expect(run.exitCode).toBe(exitCode);
    expect(JSON.parse(run.stderr)).toEqual({ error: code, message: "for a reason" });
  });

  it("is final where another replica would answer the same", async () => {
    first.refusal = new MeshkvError("CONDITION_FAILED", "no");
    const flags = ["--ip", first.address, "--ip", second.address];
    expect(await runCli(["set", "a", "1", ...flags])).toMatchObject({ exitCode: 4 });
    expect(second.calls).toEqual([]);
  });
});

describe("where and how long to ask", () => {
  it("is told by flags before the environment", async () => {
    second.put("a", "second");
    const environment = { MESHKV_IP: first.address, MESHKV_TIMEOUT: "nonsense" };
    const flags = ["--ip", second.address, "--timeout", "5s"];
    expect(await runCli(["get", "a", ...flags], { environment })).toMatchObject({ stdout: "second" });
  });

  it("may be a list in the environment", async () => {
    second.put("a", "second");
    const environment = { MESHKV_IP: `${await deadAddress()}, ${second.address}` };
    expect(await runCli(["get", "a"], { environment })).toMatchObject({ stdout: "second" });
  });

  it.each([
    [["--ip", "127.0.0.1"], {}, '--ip: no port in "127.0.0.1": write 127.0.0.1:4000'],
    [["--ip", "127.0.0.1:0"], {}, '--ip: port 0 in "127.0.0.1:0"'],
    [[], { MESHKV_IP: "x" }, 'MESHKV_IP: no port in "x"'],
    [[], { MESHKV_TIMEOUT: "10" }, 'MESHKV_TIMEOUT: "10" is not a duration'],
    [["--timeout", "0s"], {}, '--timeout: "0s" is out of range: write a duration from 1ms to 1d'],
  ])("is checked: %j %j", async (flags, environment, text) => {
    const { exitCode, stderr } = await runCli(["get", "a", ...flags], { environment });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`meshkv: ${text}`);
  });
});
